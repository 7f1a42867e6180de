import Bytes
import HybridTime
import Ledger
import SegmentLog
import Timeline

/// Where a held event's record is, and what became of it.
struct HeldEvent: BitwiseCopyable, Sendable {
  /// Which of the retained batches.
  var slot: Int32
  var bodyStart: Int32
  var bodyEnd: Int32
  var kindNumber: UInt8
  var outcome: UInt8
}

/// Batches' records that are kept while events of theirs wait for their turn.
struct RetainedBatches {
  struct Batch {
    var records: [UInt8] = []
    var index = LogIndex.zero
    var isCommitted = false
    var isJournal = false
    /// Events still held, and one while the batch is being read.
    var useCount = 0
  }

  private(set) var batches: [Batch] = []
  private var free: [Int32] = []

  mutating func retain(
    _ records: borrowing RawSpan, index: LogIndex, isCommitted: Bool, isJournal: Bool = false
  ) -> Int32 {
    let slot: Int32
    if let freed = free.popLast() {
      slot = freed
    } else {
      slot = Int32(batches.count)
      batches.append(Batch())
    }
    let number = Int(slot)
    batches[number].records.removeAll(keepingCapacity: true)
    records.withUnsafeBytes { batches[number].records.append(contentsOf: $0) }
    batches[number].index = index
    batches[number].isCommitted = isCommitted
    batches[number].isJournal = isJournal
    batches[number].useCount = 1
    return slot
  }

  mutating func use(_ slot: Int32) { batches[Int(slot)].useCount += 1 }

  mutating func release(_ slot: Int32) {
    batches[Int(slot)].useCount -= 1
    if batches[Int(slot)].useCount == 0 { free.append(slot) }
  }
}

/// Splits the log by ingress node, puts each node's events into order, and merges them, and the nodes'
/// journals, by time.
///
/// A node that sends nothing holds the others back only by the window: the leader's stamp on each
/// batch tells how far time has come.
struct TimelinePass<Files: LogFileSystem> {
  private typealias Entry = TimelineEntry<HeldEvent>

  /// One ingress node's events, or one journal.
  private struct Source {
    var isJournal = false
    var reorderer: Reorderer<Entry>
    /// Of its last event: corrected − raw, nanoseconds.
    var correction: Int64 = 0
  }

  private let options: TimelineOptions
  private var sources: [Source] = []
  /// Per node number, index into `sources`, or −1.
  private var sourceByNode = [Int16](repeating: -1, count: Int(NodeID.countMax) + 1)
  private var merge = KWayMerge<Entry>(sourceCount: 1)
  private var retained = RetainedBatches()
  private var printer: TimelinePrinter
  /// The journals, and the place of each among the sources.
  private var journals: [(reader: JournalReader<Files>, place: Int)] = []
  /// Who takes part, by the log; empty until it says so.
  private var members: Set<NodeID> = []

  init(
    _ options: TimelineOptions, _ writer: ReportWriter, journals: [JournalReader<Files>] = []
  ) {
    self.options = options
    printer = TimelinePrinter(options, writer)
    for reader in journals {
      self.journals.append((reader, addSource(isJournal: true)))
    }
    // The first source is no node: it stands for those not yet met. Where the log has said who takes part,
    // and all of them have been met, it holds nothing back.
  }

  var summary: TimelineSummary {
    var summary = printer.summary
    summary.heldCountMax = max(merge.heldCountMax, sources.map(\.reorderer.heldCountMax).max() ?? 0)
    summary.nodeCount = sources.count { !$0.isJournal }
    return summary
  }

  mutating func begin() throws(AuditError) { try printer.begin() }

  /// Takes the next batch.
  mutating func take(
    _ header: BatchHeader, _ records: borrowing RawSpan, _ outcomes: [Outcome], isCommitted: Bool
  ) throws(AuditError) -> Pass {
    let slot = retained.retain(records, index: header.index, isCommitted: isCommitted)
    var cursor = RecordCursor(records)
    for (number, outcome) in outcomes.enumerated() {
      let next = try decoding(header.index) { () throws(DecodeError) in
        try cursor.next(in: records)
      }
      guard let record = next else { break }
      let sequence = EventSequence(header.firstSequence.rawValue + UInt64(number))
      try take(record, records, slot, sequence, outcome, header.index)
    }
    retained.release(slot)
    if options.order != .log { try advance(header) }
    return printer.isFull ? .stop : .proceed
  }

  private mutating func take(
    _ record: Record, _ records: borrowing RawSpan, _ slot: Int32, _ sequence: EventSequence,
    _ outcome: Outcome, _ index: LogIndex
  ) throws(AuditError) {
    if record.kind == .beacon { try heed(record, records, index) }
    if record.kind == .membership {
      let change = try decoding(index) { () throws(DecodeError) in
        try MembershipChange(record.body, in: records)
      }
      members = Set(change.voters + change.outgoing + change.learners)
    }
    guard record.kind == .payment || options.showsAll && options.account == nil else { return }
    let stamp = try decoding(index) { () throws(DecodeError) in try record.stamp(in: records) }
    let time = stamp.time(options.order)
    let number = source(of: stamp.node)
    sources[number].correction = stamp.reading.correctionNanoseconds
    guard options.includes(time),
      options.node.map({ $0 == stamp.node }) ?? true
    else { return }
    if let account = options.account {
      let isParty = try decoding(index) { () throws(DecodeError) in
        try PaymentView(record.body, in: records).concerns(account, in: records)
      }
      guard isParty else { return }
    }
    let entry = Entry(
      key: TimelineKey(
        timeNanoseconds: time, hybrid: stamp.hybrid, node: stamp.node, sequence: sequence),
      payload: HeldEvent(
        slot: slot, bodyStart: Int32(record.body.lowerBound),
        bodyEnd: Int32(record.body.upperBound), kindNumber: record.kindNumber,
        outcome: outcome.code.rawValue))
    retained.use(slot)
    if options.order == .log {
      try show(entry, nil)
    } else if let lateness = sources[number].reorderer.push(entry) {
      try show(entry, lateness)
    } else {
      try drain(number)
    }
  }

  /// A node says that it has nothing earlier in flight. Its corrected and hybrid times never run back, so
  /// neither does what it still may send; its raw clock may.
  private mutating func heed(
    _ record: Record, _ records: borrowing RawSpan, _ index: LogIndex
  ) throws(AuditError) {
    guard options.order == .corrected || options.order == .hlc else { return }
    let stamp = try decoding(index) { () throws(DecodeError) in try record.stamp(in: records) }
    let number = source(of: stamp.node)
    sources[number].reorderer.advance(toNanoseconds: stamp.time(options.order))
    try drain(number)
    merge.advance(
      source: number + 1, toNanoseconds: sources[number].reorderer.watermarkNanoseconds)
  }

  private mutating func source(of node: NodeID) -> Int {
    let known = Int(sourceByNode[Int(node.rawValue)])
    if known >= 0 { return known }
    sourceByNode[Int(node.rawValue)] = Int16(sources.count)
    return addSource(isJournal: false)
  }

  private mutating func addSource(isJournal: Bool) -> Int {
    sources.append(
      Source(
        isJournal: isJournal, reorderer: Reorderer(windowNanoseconds: options.windowNanoseconds)))
    // What has been given out is given out: the newcomer may not come before it.
    merge.addSource()
    return sources.count - 1
  }

  /// Reads each journal on until it has come as far as `time`, or ends.
  private mutating func readJournals(toNanoseconds time: Int64) throws(AuditError) {
    for (reader, place) in journals {
      while reader.newestNanoseconds(options.order) < time, !reader.isAtEnd {
        try readBatch(reader, place)
      }
      try pass(reader, place)
    }
  }

  /// The log has ended: reads the journals on, each only when the others wait for it.
  private mutating func readRestOfJournals() throws(AuditError) {
    for (reader, place) in journals { try pass(reader, place) }
    try showMerged()
    while !printer.isFull, let waiting = merge.waitingFor,
      let (reader, place) = journals.first(where: { $0.place + 1 == waiting })
    {
      try readBatch(reader, place)
      try pass(reader, place)
      try showMerged()
    }
  }

  private mutating func readBatch(
    _ reader: JournalReader<Files>, _ place: Int
  ) throws(AuditError) {
    var lates: [(Entry, Lateness)] = []
    _ = reader.nextBatch { header, records throws(AuditError) in
      try take(header, records, ofJournal: place, &lates)
    }
    for (entry, lateness) in lates { try show(entry, lateness) }
  }

  /// Passes on what a journal's reorderer lets go, and how far it has come.
  private mutating func pass(
    _ reader: JournalReader<Files>, _ place: Int
  ) throws(AuditError) {
    if reader.isAtEnd {
      sources[place].reorderer.finish()
    } else {
      // Also by what it has that is not shown.
      let (behind, underflow) = reader.newestNanoseconds(options.order)
        .subtractingReportingOverflow(options.windowNanoseconds)
      if !underflow { sources[place].reorderer.advance(toNanoseconds: behind) }
    }
    try drain(place)
    if reader.isAtEnd {
      merge.finish(source: place + 1)
    } else {
      merge.advance(
        source: place + 1, toNanoseconds: sources[place].reorderer.watermarkNanoseconds)
    }
  }

  private mutating func take(
    _ header: BatchHeader, _ records: borrowing RawSpan, ofJournal place: Int,
    _ lates: inout [(Entry, Lateness)]
  ) throws(AuditError) {
    let slot = retained.retain(records, index: header.index, isCommitted: true, isJournal: true)
    defer { retained.release(slot) }
    var cursor = RecordCursor(records)
    var sequence = header.firstSequence
    while let record = try decoding(
      header.index, { () throws(DecodeError) in try cursor.next(in: records) })
    {
      defer { sequence = sequence.next }
      guard options.account == nil, record.kind == .occurrence || options.showsAll else { continue }
      let stamp = try decoding(header.index) { () throws(DecodeError) in
        try record.stamp(in: records)
      }
      let time = stamp.time(options.order)
      guard options.includes(time),
        options.node.map({ $0 == stamp.node }) ?? true
      else { continue }
      // The mark that no event of the log has: their sequences are other numbers.
      let hybrid = HybridTimestamp(
        wallNanoseconds: stamp.hybrid.wallNanoseconds, logical: .max)
      let entry = Entry(
        key: TimelineKey(
          timeNanoseconds: time, hybrid: hybrid, node: stamp.node, sequence: sequence),
        payload: HeldEvent(
          slot: slot, bodyStart: Int32(record.body.lowerBound),
          bodyEnd: Int32(record.body.upperBound), kindNumber: record.kindNumber, outcome: 0))
      retained.use(slot)
      if let lateness = sources[place].reorderer.push(entry) { lates.append((entry, lateness)) }
    }
  }

  /// Moves what the reorderer of a source lets go into the merge, and its watermark with it.
  private mutating func drain(_ number: Int) throws(AuditError) {
    while let entry = sources[number].reorderer.pop() {
      if let lateness = merge.push(entry, source: number + 1) { try show(entry, lateness) }
    }
  }

  /// Time has come as far as the leader's stamp: nothing older than the window is waited for.
  private mutating func advance(_ header: BatchHeader) throws(AuditError) {
    try readJournals(toNanoseconds: header.stamp.time(options.order))
    for number in sources.indices where !sources[number].isJournal {
      let leader = header.stamp.leaderTime(
        options.order, correctionNanoseconds: sources[number].correction)
      let (behind, underflow) = leader.subtractingReportingOverflow(options.windowNanoseconds)
      if !underflow { sources[number].reorderer.advance(toNanoseconds: behind) }
      try drain(number)
      merge.advance(
        source: number + 1, toNanoseconds: sources[number].reorderer.watermarkNanoseconds)
    }
    let leader = header.stamp.leaderTime(options.order, correctionNanoseconds: 0)
    let isEverybodyMet =
      !members.isEmpty && members.allSatisfy { sourceByNode[Int($0.rawValue)] >= 0 }
    merge.advance(
      source: 0,
      toNanoseconds: isEverybodyMet
        ? leader : leader.subtractingReportingOverflow(options.windowNanoseconds).0)
    try showMerged()
  }

  private mutating func showMerged() throws(AuditError) {
    while !printer.isFull, let entry = merge.next() { try show(entry, nil) }
  }

  /// The log has ended: everything held is shown.
  mutating func finish() throws(AuditError) {
    merge.finish(source: 0)
    for number in sources.indices where !sources[number].isJournal {
      sources[number].reorderer.finish()
      try drain(number)
      merge.finish(source: number + 1)
    }
    try readRestOfJournals()
    try printer.end(summary)
  }

  private mutating func show(
    _ entry: TimelineEntry<HeldEvent>, _ lateness: Lateness?
  ) throws(AuditError) {
    let slot = entry.payload.slot
    if !printer.isFull {
      try printer.show(entry, lateness, retained.batches[Int(slot)])
    }
    retained.release(slot)
  }
}

extension Stamp {
  /// The time that an order speaks of, nanoseconds.
  func time(_ order: TimelineOrder) -> Int64 {
    switch order {
    case .corrected, .log: correctedNanoseconds
    case .hlc: hybrid.wallNanoseconds
    case .earliest: earliestNanoseconds
    case .raw: reading.rawNanoseconds
    }
  }

  /// This stamp's time on a clock whose correction is `correctionNanoseconds`.
  func leaderTime(_ order: TimelineOrder, correctionNanoseconds: Int64) -> Int64 {
    order == .raw ? correctedNanoseconds &- correctionNanoseconds : time(order)
  }
}

extension PaymentView {
  /// Whether an account is its sender or receiver.
  func concerns(_ account: [UInt8], in records: borrowing RawSpan) -> Bool {
    equal(sender, account, in: records) || equal(receiver, account, in: records)
  }

  /// Whether `range` of the records holds exactly `bytes`.
  func equal(_ range: Range<Int>, _ bytes: [UInt8], in records: borrowing RawSpan) -> Bool {
    guard range.count == bytes.count else { return false }
    return records.extracting(range).withUnsafeBytes { $0.elementsEqual(bytes) }
  }
}

extension AgreedLog {
  /// Writes the timeline of all events, in memory bounded by what the window holds.
  package func writeTimeline(
    _ options: TimelineOptions, to writer: ReportWriter
  ) throws(AuditError) -> TimelineSummary {
    let readers = options.showsJournals ? journalReaders() : []
    defer { for reader in readers { for note in reader.notes { self.note(note) } } }
    var pass = TimelinePass(options, writer, journals: readers)
    try pass.begin()
    let limit = options.showsUncommitted ? lastIndex : committed
    let committed = committed
    _ = try replay(through: limit) { header, records, outcomes throws(AuditError) in
      try pass.take(header, records, outcomes, isCommitted: header.index <= committed)
    }
    try pass.finish()
    try writing { () throws(OutputError) in try writer.flush() }
    return pass.summary
  }
}
