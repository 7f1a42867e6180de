public import Bytes
public import HybridTime

/// How far one node's log has come.
public struct LogPosition: Hashable, Sendable {
  /// The last batch that is in its log, on disk or on its way there.
  public var arrived: LogIndex
  /// That batch's term. Index and term together name a batch and all before it (Raft §5.3, Log Matching).
  public var arrivedTerm: Term
  /// The last batch that is on its own stable storage.
  public var durable: LogIndex
  /// The last batch that it knows to be on a majority's.
  public var committed: LogIndex
  /// The last batch that its ledger has, so that its clients have been answered.
  public var applied: LogIndex

  /// A position from its fields.
  public init(
    arrived: LogIndex, arrivedTerm: Term, durable: LogIndex, committed: LogIndex,
    applied: LogIndex
  ) {
    self.arrived = arrived
    self.arrivedTerm = arrivedTerm
    self.durable = durable
    self.committed = committed
    self.applied = applied
  }

  /// The beginning of every log.
  public static let zero = LogPosition(
    arrived: .zero, arrivedTerm: .zero, durable: .zero, committed: .zero, applied: .zero)
}

/// A node's log went on: when, by its own clock, and how far it was then.
public struct ProgressMark: Hashable, Sendable {
  /// How far it was.
  public var position: LogPosition
  /// What the node's clock said: no later than what it then sent to others, no earlier than what it had
  /// received.
  public var reading: ClockReading
  /// The node's monotonic clock at that time, nanoseconds since some start.
  public var monotonicNanoseconds: Int64

  /// A mark from its fields.
  public init(position: LogPosition, reading: ClockReading, monotonicNanoseconds: Int64) {
    self.position = position
    self.reading = reading
    self.monotonicNanoseconds = monotonicNanoseconds
  }

  /// The mark's time as a stamp of `node`.
  public func stamp(node: NodeID) -> Stamp { Stamp(reading, of: node) }
}

/// When a node's batches arrived, became durable, were committed and applied, by its own clock: the causal
/// marks by which logs alone tell of their clocks. Nodes keep these in their journals.
///
/// One record has the marks of some seconds, in which the clock's epoch, status and reference stay the same.
///
/// | field | form |
/// | --- | --- |
/// | stamp | `Stamp`: the first mark's time |
/// | monotonic | varint, nanoseconds: the first mark's |
/// | arrived, term, durable, committed, applied | varints: the position before the first mark |
/// | count | u16 little-endian: marks, at least one |
/// | marks | each as below |
///
/// A mark: u8 with bits 0–3 for arrived, durable, committed, applied; then zigzag varints, each the
/// difference to the mark before: raw, monotonic less that of raw, correction, bound (nanoseconds); then
/// for each set bit the index's difference, and after that of arrived the term's.
public struct LogProgress: Hashable, Sendable {
  /// Which node.
  public var node: NodeID
  /// How far the log was before the first mark.
  public var start: LogPosition
  /// In the order in which they were made; not empty.
  public var marks: [ProgressMark]

  /// Most bytes of one mark: flags, and nine numbers of up to ten.
  private static let markByteCountMax = 91

  /// Progress from its fields.
  public init(node: NodeID, start: LogPosition, marks: [ProgressMark]) {
    self.node = node
    self.start = start
    self.marks = marks
  }

  /// The first mark's time.
  public var stamp: Stamp {
    guard let first = marks.first else { preconditionFailure("progress has a mark") }
    return first.stamp(node: node)
  }

  /// Appends as few records as these marks need, and gives each one's stamp and last mark to `wrote`.
  public func encode(
    into writer: inout ByteWriter,
    wrote: (_ first: Stamp, _ last: ProgressMark) -> Void = { _, _ in }
  ) {
    var rest = marks[...]
    var before = start
    while let first = rest.first {
      writer.record(.logProgress) { writer in
        let begin = writer.count
        first.stamp(node: node).encode(into: &writer)
        writer.varint(UInt64(bitPattern: first.monotonicNanoseconds))
        writer.varint(before.arrived.rawValue)
        writer.varint(before.arrivedTerm.rawValue)
        writer.varint(before.durable.rawValue)
        writer.varint(before.committed.rawValue)
        writer.varint(before.applied.rawValue)
        let countOffset = writer.count
        var count: UInt16 = 0
        writer.integer(count)
        var last = first
        while let mark = rest.first, mark.isOfOneState(with: first),
          writer.count - begin + Self.markByteCountMax + Record.headerByteCount
            <= Record.byteCountMax
        {
          mark.encode(after: last, before, into: &writer)
          (last, before) = (mark, mark.position)
          rest = rest.dropFirst()
          count += 1
        }
        writer.patch(count, at: countOffset)
        wrote(first.stamp(node: node), last)
      }
    }
  }

  /// Reads a record's body, which must fill `body`.
  public init(_ body: Range<Int>, in bytes: borrowing RawSpan) throws(DecodeError) {
    var reader = ByteReader(body)
    let stamp = try Stamp(from: &reader, in: bytes)
    node = stamp.node
    let monotonic = Int64(bitPattern: try reader.varint(in: bytes))
    start = LogPosition(
      arrived: LogIndex(try reader.varint(in: bytes)),
      arrivedTerm: Term(try reader.varint(in: bytes)),
      durable: LogIndex(try reader.varint(in: bytes)),
      committed: LogIndex(try reader.varint(in: bytes)),
      applied: LogIndex(try reader.varint(in: bytes)))
    let countOffset = reader.offset
    let count = try reader.integer(UInt16.self, in: bytes)
    guard count > 0 else { throw .invalidField("progress.count", offset: countOffset) }
    marks = []
    var mark = ProgressMark(
      position: start, reading: stamp.reading, monotonicNanoseconds: monotonic)
    guard stamp.hybrid == mark.stamp(node: node).hybrid else {
      throw .invalidField("progress.stamp", offset: body.lowerBound)
    }
    for _ in 0..<count {
      try mark.advance(&reader, in: bytes, isFirst: marks.isEmpty)
      marks.append(mark)
    }
    guard reader.isAtEnd else { throw .invalidField("progress.end", offset: reader.offset) }
  }
}

extension ProgressMark {
  private static let arrivedFlag: UInt8 = 1
  private static let durableFlag: UInt8 = 2
  private static let committedFlag: UInt8 = 4
  private static let appliedFlag: UInt8 = 8

  fileprivate func isOfOneState(with other: ProgressMark) -> Bool {
    reading.epoch == other.reading.epoch && reading.status == other.reading.status
      && reading.reference == other.reading.reference
  }

  /// Appends the mark as its difference to `last` and to the position `before` it.
  fileprivate func encode(
    after last: ProgressMark, _ before: LogPosition, into writer: inout ByteWriter
  ) {
    let hasArrived =
      position.arrived != before.arrived || position.arrivedTerm != before.arrivedTerm
    var flags: UInt8 = hasArrived ? Self.arrivedFlag : 0
    if position.durable != before.durable { flags |= Self.durableFlag }
    if position.committed != before.committed { flags |= Self.committedFlag }
    if position.applied != before.applied { flags |= Self.appliedFlag }
    writer.integer(flags)
    let raw = reading.rawNanoseconds &- last.reading.rawNanoseconds
    writer.signedVarint(raw)
    writer.signedVarint((monotonicNanoseconds &- last.monotonicNanoseconds) &- raw)
    writer.signedVarint(
      reading.correctionNanoseconds &- last.reading.correctionNanoseconds)
    writer.signedVarint(reading.boundNanoseconds &- last.reading.boundNanoseconds)
    func write(_ index: LogIndex, _ old: LogIndex) {
      writer.signedVarint(Int64(bitPattern: index.rawValue &- old.rawValue))
    }
    if hasArrived {
      write(position.arrived, before.arrived)
      writer.signedVarint(
        Int64(bitPattern: position.arrivedTerm.rawValue &- before.arrivedTerm.rawValue))
    }
    if flags & Self.durableFlag != 0 { write(position.durable, before.durable) }
    if flags & Self.committedFlag != 0 { write(position.committed, before.committed) }
    if flags & Self.appliedFlag != 0 { write(position.applied, before.applied) }
  }

  /// Becomes the mark that comes next.
  fileprivate mutating func advance(
    _ reader: inout ByteReader, in bytes: borrowing RawSpan, isFirst: Bool
  ) throws(DecodeError) {
    let start = reader.offset
    let flags = try reader.integer(UInt8.self, in: bytes)
    // A mark of nothing is not made.
    guard (1..<16).contains(flags) else { throw .invalidField("progress.flags", offset: start) }
    let raw = try reader.signedVarint(in: bytes)
    let monotonic = try reader.signedVarint(in: bytes)
    let correction = try reader.signedVarint(in: bytes)
    let bound = try reader.signedVarint(in: bytes)
    // The first one's are in the record's head.
    guard !isFirst || raw == 0 && monotonic == 0 && correction == 0 && bound == 0 else {
      throw .invalidField("progress.first", offset: start)
    }
    reading.rawNanoseconds &+= raw
    monotonicNanoseconds &+= raw &+ monotonic
    reading.correctionNanoseconds &+= correction
    reading.boundNanoseconds &+= bound
    guard reading.boundNanoseconds >= 0 else {
      throw .invalidField("progress.bound", offset: start)
    }
    func next(_ old: LogIndex) throws(DecodeError) -> LogIndex {
      let difference = try reader.signedVarint(in: bytes)
      return LogIndex(old.rawValue &+ UInt64(bitPattern: difference))
    }
    if flags & Self.arrivedFlag != 0 {
      let before = (position.arrived, position.arrivedTerm)
      position.arrived = try next(position.arrived)
      let term = try reader.signedVarint(in: bytes)
      position.arrivedTerm = Term(
        position.arrivedTerm.rawValue &+ UInt64(bitPattern: term))
      guard before != (position.arrived, position.arrivedTerm) else {
        throw .invalidField("progress.arrived", offset: start)
      }
    }
    let before = position
    if flags & Self.durableFlag != 0 { position.durable = try next(position.durable) }
    if flags & Self.committedFlag != 0 { position.committed = try next(position.committed) }
    if flags & Self.appliedFlag != 0 { position.applied = try next(position.applied) }
    // A bit without a change is not how it is written.
    guard (flags & Self.durableFlag != 0) == (position.durable != before.durable),
      (flags & Self.committedFlag != 0) == (position.committed != before.committed),
      (flags & Self.appliedFlag != 0) == (position.applied != before.applied)
    else { throw .invalidField("progress.mark", offset: start) }
  }
}
