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
  /// Which run of the node's process.
  var process: Int
}

/// When the batches of the agreed log came to one thing at one node: in order, none twice.
struct BatchMarks: Sendable {
  private(set) var runs: [MarkedBatches] = []
  private var cursor = 0

  /// Takes a run that came after all others; what of it has been taken before stays as it was.
  mutating func append(_ first: UInt64, _ last: UInt64, _ moment: ClockMoment, process: Int) {
    guard last > runs.last?.last ?? 0 else { return }
    runs.append(
      MarkedBatches(
        first: max(first, (runs.last?.last ?? 0) + 1), last: last, moment: moment,
        process: process))
  }

  /// The moment of a batch, asked for in ascending order; nil where the journal has none.
  mutating func mark(of index: LogIndex) -> MarkedBatches? {
    while cursor < runs.count, runs[cursor].last < index.rawValue { cursor += 1 }
    guard cursor < runs.count, runs[cursor].first <= index.rawValue else { return nil }
    return runs[cursor]
  }
}

/// One answer of a clock source, with the node's clocks when it came in.
struct JournalSample: Sendable {
  var measurement: ClockMeasurement
  var moment: ClockMoment
  var process: Int
}

/// A moment at which a node's corrected time and monotonic clock are both known.
struct ClockAnchor: BitwiseCopyable, Sendable {
  var monotonic: Int64
  var moment: ClockMoment
  var process: Int
}

/// A run of a node's process. Within it epochs ascend; from one to the next they do as long as nobody sets the
/// system clock back.
struct Process: Sendable {
  /// When the journal first had something of it.
  private(set) var first: ClockMoment?
  /// Epochs that its clock's disruptions began, ascending.
  var disruptions: [UInt32] = []

  mutating func begin(_ moment: ClockMoment) {
    if first == nil { first = moment }
  }
}

/// What one node's journal says about clocks and about the log. Memory grows with it, up to a limit: some 150
/// bytes a mark of the log's progress, and some 400 a time server's answer.
struct NodeJournal: Sendable {
  /// Most that is held of one journal; what comes after is not looked at, and a note says so.
  static let entryCountMax = 1 << 23

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

  /// Runs of the node's process: how many starts the journal had told of when something came.
  private(set) var processes = [Process()]

  fileprivate init(node: NodeID) { self.node = node }

  /// The batches' moments, to be asked for in ascending order.
  mutating func marks(of index: LogIndex) -> (arrived: MarkedBatches?, durable: MarkedBatches?) {
    (arrived.mark(of: index), durable.mark(of: index))
  }

  /// When the node knew that a batch was committed; ascending.
  mutating func commitMoment(of index: LogIndex) -> ClockMoment? {
    committed.mark(of: index)?.moment
  }

  fileprivate mutating func take(_ measurement: ClockMeasurement) {
    let moment = ClockMoment(measurement.stamp)
    samples.append(
      JournalSample(measurement: measurement, moment: moment, process: process))
    take(measurement.monotonicNanoseconds, moment)
  }

  /// An anchor so soon after another of its epoch says nothing new, nanoseconds.
  private static let anchorSpacing: Int64 = 500_000

  /// The newest run of the process.
  private var process: Int { processes.count - 1 }

  /// How much it holds: see ``entryCountMax``.
  fileprivate var entryCount: Int {
    anchors.count + samples.count + arrived.runs.count + durable.runs.count + committed.runs.count
      + applied.runs.count
  }

  private mutating func take(_ monotonic: Int64, _ moment: ClockMoment) {
    processes[process].begin(moment)
    if let last = anchors.last, last.process == process, last.moment.epoch == moment.epoch,
      last.monotonic < monotonic, monotonic &- last.monotonic < Self.anchorSpacing
    {
      return
    }
    anchors.append(ClockAnchor(monotonic: monotonic, moment: moment, process: process))
  }

  fileprivate mutating func take(_ occurrence: NodeOccurrence) {
    let reading = occurrence.stamp.reading
    let isDisruption = occurrence.topic == .clock && reading.status == .disrupted
    if occurrence.topic == .started { processes.append(Process()) }
    processes[processes.count - 1].begin(ClockMoment(occurrence.stamp))
    if isDisruption { processes[processes.count - 1].disruptions.append(reading.epoch) }
  }

  /// `isAgreed`: whether the agreed log has a batch of this index and term.
  fileprivate mutating func take(
    _ progress: LogProgress, through last: LogIndex, _ isAgreed: (LogIndex, Term) -> Bool
  ) {
    func append(_ marks: inout BatchMarks, _ old: LogIndex, _ new: LogIndex, _ moment: ClockMoment)
    {
      // What the log does not have, nobody can have seen.
      guard new > old, old < last else { return }
      marks.append(
        old.rawValue + 1, min(new, last).rawValue, moment, process: processes.count - 1)
    }
    var before = progress.start
    for mark in progress.marks {
      let moment = ClockMoment(mark.reading, node: progress.node)
      let now = mark.position
      take(mark.monotonicNanoseconds, moment)
      if isAgreed(now.arrived, now.arrivedTerm) {
        if now.arrived > before.arrived {
          append(&arrived, before.arrived, now.arrived, moment)
        } else if now.arrivedTerm != before.arrivedTerm {
          // Others were replaced in the same step: of this one alone it is known.
          append(&arrived, now.arrived.previous, now.arrived, moment)
        }
        append(&durable, before.durable, now.durable, moment)
      }
      // What is committed stays.
      append(&committed, before.committed, now.committed, moment)
      append(&applied, before.applied, now.applied, moment)
      before = now
    }
  }
}

extension AgreedLog {
  /// The journals beside the logs; of one that is there several times, the longest.
  func journalReaders() -> [JournalReader<Files>] {
    var readers: [JournalReader<Files>] = []
    for survey in surveys {
      guard let directory = survey.source.journal else { continue }
      let reader = JournalReader(directory, in: files)
      if let origin = reader.origin, let place = readers.firstIndex(where: { $0.origin == origin })
      {
        note(
          "\(directory): the same journal as \(readers[place].directory); the longer one counts.")
        if readers[place].lastIndex < reader.lastIndex { readers[place] = reader }
      } else {
        readers.append(reader)
      }
    }
    return readers
  }

  /// Reads the journals beside the logs, of each node the longest; what is wrong with one goes into the
  /// notes.
  func readJournals() -> [NodeJournal] {
    var found: [NodeID: NodeJournal] = [:]
    for reader in journalReaders() {
      let directory = reader.directory
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
    while journal?.entryCount ?? 0 < NodeJournal.entryCountMax,
      reader.nextBatch({ header, records throws(AuditError) in
        var cursor = RecordCursor(records)
        try decoding(header.index) { () throws(DecodeError) in
          while let record = try cursor.next(in: records) {
            guard record.kind?.isForJournals == true else { continue }
            let event = try Event(record, in: records)
            if journal == nil { journal = NodeJournal(node: event.stamp.node) }
            guard journal?.node == event.stamp.node else { continue }
            switch event {
            case .clockMeasurement(let measurement): journal?.take(measurement)
            case .logProgress(let progress):
              journal?.take(progress, through: self.lastIndex) {
                self.base.place($0)?.term == $1
              }
            case .occurrence(let occurrence): journal?.take(occurrence)
            case .payment, .clockReport, .beacon, .membership, .policy, .leadership: break
            }
          }
        }
      })
    {}
    if !reader.isAtEnd {
      note(
        "\(reader.directory): what follows its first \(NodeJournal.entryCountMax) marks is not looked at."
      )
    }
    return journal
  }
}
