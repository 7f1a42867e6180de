import Bytes
import HybridTime
import Ledger
import SegmentLog

/// A moment by one node's clocks, as small as it can be kept.
struct ClockMoment: BitwiseCopyable, Sendable {
  var raw: Int64
  var correction: Int64
  var bound: Int64
  var epoch: UInt32
  var node: UInt16
  var status: UInt8
  var reference: UInt8

  init(_ reading: ClockReading, node: NodeID) {
    raw = reading.rawNanoseconds
    correction = reading.correctionNanoseconds
    bound = reading.boundNanoseconds
    epoch = reading.epoch
    self.node = node.rawValue
    status = reading.status.rawValue
    reference = reading.reference.rawValue
  }

  init(_ stamp: Stamp) { self.init(stamp.reading, node: stamp.node) }

  var corrected: Int64 { raw &+ correction }
  var earliest: Int64 { saturated(corrected.subtractingReportingOverflow(bound), .min) }
  var latest: Int64 { saturated(corrected.addingReportingOverflow(bound), .max) }

  /// Whether its interval says something about time that others share.
  var isComparable: Bool {
    reference != ClockReference.local.rawValue
      && (status == ClockStatus.synchronized.rawValue
        || status == ClockStatus.holdover.rawValue)
  }

  /// Whether both intervals speak of the same time.
  func isComparable(with other: ClockMoment) -> Bool {
    isComparable && other.isComparable && reference == other.reference
  }
}

private func saturated(_ result: (partialValue: Int64, overflow: Bool), _ limit: Int64) -> Int64 {
  result.overflow ? limit : result.partialValue
}

/// Batches of a log that came to something at one moment of a node's clock.
struct MarkedBatches: BitwiseCopyable, Sendable {
  var first: UInt64
  var last: UInt64
  var moment: ClockMoment
}

/// When the batches of the agreed log came to one thing at one node: in order, none twice.
struct BatchMarks: Sendable {
  private(set) var runs: [MarkedBatches] = []
  private var cursor = 0

  /// Takes a run that came after all others; what of it has been taken before stays as it was.
  mutating func append(_ first: UInt64, _ last: UInt64, _ moment: ClockMoment) {
    let first = max(first, (runs.last?.last ?? 0) + 1)
    guard first <= last else { return }
    runs.append(MarkedBatches(first: first, last: last, moment: moment))
  }

  /// The moment of a batch, asked for in ascending order; nil where the journal has none.
  mutating func moment(of index: LogIndex) -> ClockMoment? {
    while cursor < runs.count, runs[cursor].last < index.rawValue { cursor += 1 }
    guard cursor < runs.count, runs[cursor].first <= index.rawValue else { return nil }
    return runs[cursor].moment
  }
}

/// One answer of a clock source, with the node's clocks when it came in.
struct JournalSample: Sendable {
  var measurement: ClockMeasurement
  var moment: ClockMoment
}

/// A moment at which a node's corrected time and monotonic clock are both known.
struct ClockAnchor: BitwiseCopyable, Sendable {
  var monotonic: Int64
  var moment: ClockMoment
}

/// What one node's journal says about clocks and about the log. Memory grows with it: some 100 bytes a mark
/// of the log's progress, and 150 bytes a measurement.
struct NodeJournal: Sendable {
  /// The node that keeps it.
  let node: NodeID
  /// When the log's batches came into its log, by the marks whose batches are in the agreed log.
  private(set) var arrived = BatchMarks()
  /// When they were on its stable storage.
  private(set) var durable = BatchMarks()
  /// When it knew that a majority had them.
  private(set) var committed = BatchMarks()
  /// When its ledger had them.
  private(set) var applied = BatchMarks()
  /// The clock sources' answers, in order.
  private(set) var samples: [JournalSample] = []
  /// Both clocks, as often as the log went on or a source answered, in order.
  private(set) var anchors: [ClockAnchor] = []

  /// Epochs with which the node started or its clock was disrupted, ascending.
  private(set) var runStarts: [UInt32] = []

  fileprivate init(node: NodeID) { self.node = node }

  /// The batches' moments, to be asked for in ascending order.
  mutating func moments(of index: LogIndex) -> (arrived: ClockMoment?, durable: ClockMoment?) {
    (arrived.moment(of: index), durable.moment(of: index))
  }

  /// When the node knew that a batch was committed; ascending.
  mutating func commitMoment(of index: LogIndex) -> ClockMoment? { committed.moment(of: index) }

  fileprivate mutating func take(_ measurement: ClockMeasurement) {
    let moment = ClockMoment(measurement.stamp)
    samples.append(JournalSample(measurement: measurement, moment: moment))
    anchors.append(ClockAnchor(monotonic: measurement.monotonicNanoseconds, moment: moment))
  }

  fileprivate mutating func take(_ occurrence: NodeOccurrence) {
    let reading = occurrence.stamp.reading
    let isDisruption = occurrence.topic == .clock && reading.status == .disrupted
    guard occurrence.topic == .started || isDisruption else { return }
    let place = runStarts.firstIndex { $0 >= reading.epoch } ?? runStarts.count
    guard place == runStarts.count || runStarts[place] != reading.epoch else { return }
    runStarts.insert(reading.epoch, at: place)
  }

  /// `isAgreed`: whether the agreed log has a batch of this index and term.
  fileprivate mutating func take(
    _ progress: LogProgress, _ isAgreed: (LogIndex, Term) -> Bool
  ) {
    var before = progress.start
    for mark in progress.marks {
      let moment = ClockMoment(mark.reading, node: progress.node)
      let now = mark.position
      anchors.append(ClockAnchor(monotonic: mark.monotonicNanoseconds, moment: moment))
      if isAgreed(now.arrived, now.arrivedTerm) {
        if now.arrived > before.arrived {
          arrived.append(before.arrived.rawValue + 1, now.arrived.rawValue, moment)
        } else if now.arrivedTerm != before.arrivedTerm {
          // Others were replaced in the same step: of this one alone it is known.
          arrived.append(now.arrived.rawValue, now.arrived.rawValue, moment)
        }
        if now.durable > before.durable {
          durable.append(before.durable.rawValue + 1, now.durable.rawValue, moment)
        }
      }
      // What is committed stays.
      if now.committed > before.committed {
        committed.append(before.committed.rawValue + 1, now.committed.rawValue, moment)
      }
      if now.applied > before.applied {
        applied.append(before.applied.rawValue + 1, now.applied.rawValue, moment)
      }
      before = now
    }
  }
}

extension AgreedLog {
  /// Reads the journals beside the logs, of each node the longest; what is wrong with one goes into the
  /// notes.
  func readJournals() -> [NodeJournal] {
    var found: [NodeID: NodeJournal] = [:]
    for survey in surveys {
      guard let directory = survey.source.journal else { continue }
      let reader = JournalReader(directory, in: files)
      let journal = read(reader)
      for note in reader.notes { self.note(note) }
      guard let journal else { continue }
      if let known = found[journal.node] {
        self.note(
          "\(directory): a second journal of node \(journal.node.rawValue); the longer one counts.")
        guard known.anchors.count < journal.anchors.count else { continue }
      }
      found[journal.node] = journal
    }
    return found.values.sorted { $0.node < $1.node }
  }

  private func read(_ reader: JournalReader<Files>) -> NodeJournal? {
    var journal: NodeJournal?
    while reader.nextBatch({ header, records throws(AuditError) in
      var cursor = RecordCursor(records)
      try decoding(header.index) { () throws(DecodeError) in
        while let record = try cursor.next(in: records) {
          switch record.kind {
          case .clockMeasurement:
            let measurement = try ClockMeasurement(record.body, in: records)
            if journal == nil { journal = NodeJournal(node: measurement.stamp.node) }
            guard journal?.node == measurement.stamp.node else { continue }
            journal?.take(measurement)
          case .logProgress:
            let progress = try LogProgress(record.body, in: records)
            if journal == nil { journal = NodeJournal(node: progress.node) }
            guard journal?.node == progress.node else { continue }
            journal?.take(progress) { self.base.place($0)?.term == $1 }
          case .occurrence:
            let occurrence = try NodeOccurrence(record.body, in: records)
            if journal == nil { journal = NodeJournal(node: occurrence.stamp.node) }
            guard journal?.node == occurrence.stamp.node else { continue }
            journal?.take(occurrence)
          default: continue
          }
        }
      }
    }) {}
    return journal
  }
}
