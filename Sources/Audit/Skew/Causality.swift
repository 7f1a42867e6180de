package import Bytes
import HybridTime
import Ledger
import SegmentLog

/// Offsets of one clock to another that cause and effect allow, nanoseconds.
///
/// Node a sends, node b receives: b's clock less a's at that time is at most what lies between the two
/// readings, whatever the way took. Messages in both directions leave an interval, as NTP's exchange
/// does (RFC 5905 §8), without anybody having measured anything.
package struct CausalInterval: Hashable, Sendable {
  /// No smaller, by messages from the second clock to the first.
  package internal(set) var low: Int64?
  /// No larger, by messages from the first clock to the second.
  package internal(set) var high: Int64?

  /// Whether the clocks moved against each other within this part of the time: no one offset explains all
  /// messages.
  var isCrossed: Bool { (low ?? .min) > (high ?? .max) }

  /// Both ends in order, where messages went both ways.
  package var range: ClosedRange<Int64>? {
    guard let low, let high else { return nil }
    return min(low, high)...max(low, high)
  }

  fileprivate mutating func limit(high value: Int64) { high = min(high ?? .max, value) }
  fileprivate mutating func limit(low value: Int64) { low = max(low ?? .min, value) }

  /// From the least to the greatest of both.
  fileprivate mutating func span(_ other: CausalInterval) {
    guard let range = other.range else { return }
    low = min(low ?? .max, range.lowerBound)
    high = max(high ?? .min, range.upperBound)
  }
}

/// A message between two nodes, by whose clocks it arrived before it was sent, whatever their bounds allow.
package struct ImpossibleMessage: Hashable, Sendable {
  /// What went from one node to the other.
  package enum Kind: String, Hashable, Sendable {
    /// An event of the first node's, which the second one, the leader, took into a batch.
    case sequenced
    /// A batch of the first node's, the leader's, which came into the second one's log.
    case arrived
  }

  /// What it was.
  package let kind: Kind
  /// Who sent it.
  package let sender: NodeID
  /// Who received it.
  package let receiver: NodeID
  /// The batch.
  package let index: LogIndex
  /// The earliest that it can have been sent by its sender's bound, nanoseconds since 1970.
  package let sentEarliest: Int64
  /// The latest that it can have been received by its receiver's bound.
  package let receivedLatest: Int64
}

/// What cause and effect say about the clocks of two nodes.
package struct CausalPair: Sendable {
  /// The one with the lower number.
  package let first: NodeID
  /// The other.
  package let second: NodeID
  /// Messages from the first to the second, and back.
  package internal(set) var messageCounts: (there: UInt64, back: UInt64) = (0, 0)
  /// Messages that arrived before they were sent by the raw clocks.
  package internal(set) var rawCount: UInt64 = 0
  /// The same by corrected time: an error, but one that the bounds may cover.
  package internal(set) var correctedCount: UInt64 = 0
  /// The same by corrected time and bounds: one of the two clocks was not within its bound.
  package internal(set) var impossibleCount: UInt64 = 0
  /// The second raw clock − the first, by part of the log's time.
  package internal(set) var rawByPart: [CausalInterval]
  /// The second corrected clock − the first, by part of the log's time.
  package internal(set) var correctedByPart: [CausalInterval]

  fileprivate init(_ first: NodeID, _ second: NodeID, partCount: Int) {
    self.first = first
    self.second = second
    rawByPart = Array(repeating: CausalInterval(), count: partCount)
    correctedByPart = rawByPart
  }

  /// The second raw clock − the first, at any time: from the least to the greatest, as far as it stayed the same
  /// within each part.
  package var raw: CausalInterval { Self.span(rawByPart) }
  /// Whether both raw clocks kept their distance within every part of the time.
  package var isRawSteady: Bool { !rawByPart.contains(where: \.isCrossed) }
  /// The second corrected clock − the first, at any time: from the least to the greatest.
  package var corrected: CausalInterval { Self.span(correctedByPart) }

  private static func span(_ parts: [CausalInterval]) -> CausalInterval {
    var whole = CausalInterval()
    for part in parts { whole.span(part) }
    return whole
  }

  fileprivate mutating func take(_ sent: ClockMoment, _ received: ClockMoment, part: Int) -> Bool {
    let isThere = sent.node == first.rawValue
    if isThere { messageCounts.there += 1 } else { messageCounts.back += 1 }
    let raw = received.raw &- sent.raw
    let corrected = received.corrected &- sent.corrected
    if raw < 0 { rawCount += 1 }
    if isThere {
      rawByPart[part].limit(high: raw)
      correctedByPart[part].limit(high: corrected)
    } else {
      rawByPart[part].limit(low: 0 &- raw)
      correctedByPart[part].limit(low: 0 &- corrected)
    }
    guard corrected < 0 else { return false }
    correctedCount += 1
    guard sent.isComparable(with: received), received.latest < sent.earliest else { return false }
    impossibleCount += 1
    return true
  }
}

/// What a log and its nodes' journals say about clocks by cause and effect alone (DESIGN, Time, causal
/// marks): an event is stamped before the leader takes it into a batch, a batch is closed before it comes
/// into a follower's log, and it is committed after a majority has it on stable storage.
package struct CausalityReport: Sendable {
  /// Nodes whose journals were read.
  package let journals: [NodeID]
  /// Pairs of nodes between which something went, by their numbers.
  package internal(set) var pairs: [CausalPair] = []
  /// Batches whose commit was held against when a majority had them durably.
  package internal(set) var commitCount: UInt64 = 0
  /// Batches that a leader knew to be committed certainly before a majority can have had them: somebody's
  /// clock was not within its bound.
  package internal(set) var earlyCommitCount: UInt64 = 0
  /// The first messages that cannot have been.
  package internal(set) var impossible: [ImpossibleMessage] = []
  /// Nodes whose raw clocks are apart from those of all others, while those may agree.
  package internal(set) var rawOutliers: [NodeID] = []
  /// Nodes that take part in all impossible messages.
  package internal(set) var suspects: [NodeID] = []
}

/// Goes through a log and journals once, and holds every message's two ends against each other.
struct CausalityPass {
  private var journals: [NodeJournal]
  private let starts: [Int64]
  private let listed: Int
  private var report: CausalityReport
  private var pairs: [[CausalPair?]]
  private var voters: Set<NodeID> = []
  private var part = 0

  /// `starts`: where the parts of the log's time begin, corrected nanoseconds; not empty.
  init(_ journals: [NodeJournal], partStarts starts: [Int64], listed: Int) {
    self.journals = journals
    self.starts = starts
    self.listed = listed
    report = CausalityReport(journals: journals.map(\.node))
    pairs = []
  }

  /// Takes the next batch of the log.
  mutating func take(
    _ header: BatchHeader, _ records: borrowing RawSpan
  ) throws(DecodeError) {
    let leader = ClockMoment(header.stamp)
    while part + 1 < starts.count, leader.corrected >= starts[part + 1] { part += 1 }
    var newest: [ClockMoment] = []
    var cursor = RecordCursor(records)
    while let record = try cursor.next(in: records) {
      if record.kind == .membership {
        voters = Set(try MembershipChange(record.body, in: records).voters)
      }
      let event = ClockMoment(try record.stamp(in: records))
      guard event.node != leader.node else { continue }
      // Of one node's events in a batch the last says most, but each clock may have been set between.
      if let place = newest.firstIndex(where: { $0.node == event.node }) {
        if event.raw > newest[place].raw { newest[place] = event }
      } else {
        newest.append(event)
      }
    }
    for event in newest { take(.sequenced, event, leader, header.index) }
    var durable: [NodeID: (at: ClockMoment, processFrom: ClockMoment)] = [:]
    for place in journals.indices {
      let marks = journals[place].marks(of: header.index)
      if journals[place].node.rawValue != leader.node, let arrived = marks.arrived {
        take(.arrived, leader, arrived.moment, header.index)
      }
      if let mark = marks.durable, let first = journals[place].processes[mark.process].first {
        durable[journals[place].node] = (mark.moment, first)
      }
    }
    check(durable, header)
  }

  private mutating func take(
    _ kind: ImpossibleMessage.Kind, _ sent: ClockMoment, _ received: ClockMoment, _ index: LogIndex
  ) {
    let (low, high) = (Int(min(sent.node, received.node)), Int(max(sent.node, received.node)))
    while pairs.count <= low { pairs.append([]) }
    while pairs[low].count <= high { pairs[low].append(nil) }
    if pairs[low][high] == nil {
      pairs[low][high] = CausalPair(
        NodeID(UInt16(low)), NodeID(UInt16(high)), partCount: starts.count)
    }
    guard pairs[low][high]?.take(sent, received, part: part) == true,
      report.impossible.count < listed
    else { return }
    report.impossible.append(
      ImpossibleMessage(
        kind: kind, sender: NodeID(sent.node), receiver: NodeID(received.node), index: index,
        sentEarliest: sent.earliest, receivedLatest: received.latest))
  }

  /// Holds a batch's commit against when its voters had it durably.
  private mutating func check(
    _ durable: [NodeID: (at: ClockMoment, processFrom: ClockMoment)], _ header: BatchHeader
  ) {
    guard let place = journals.firstIndex(where: { $0.node == header.stamp.node }),
      let commit = journals[place].commitMoment(of: header.index), !voters.isEmpty
    else { return }
    // One whose journal is not here may have been the first; one that started later may have had the batch before,
    // lost it, and fetched it again.
    let late = voters.count { voter in
      guard let mark = durable[voter], mark.at.isComparable(with: commit) else { return false }
      return mark.at.earliest > commit.latest && mark.processFrom.latest < commit.earliest
    }
    report.commitCount += 1
    if late > voters.count - (voters.count / 2 + 1) { report.earlyCommitCount += 1 }
  }

  /// What came of it.
  mutating func finish() -> CausalityReport {
    report.pairs = pairs.flatMap { $0.compactMap(\.self) }
    nameOutliers()
    let wrong = report.pairs.filter { $0.impossibleCount > 0 }
    if let first = wrong.first {
      report.suspects = [first.first, first.second].filter { node in
        wrong.allSatisfy { $0.first == node || $0.second == node }
      }
    }
    return report
  }

  /// A raw clock is alone where it cannot have read as any other one, and those may have read alike.
  private mutating func nameOutliers() {
    let known = report.pairs.filter { $0.raw.range != nil && $0.isRawSteady }
    let nodes = Set(known.flatMap { [$0.first, $0.second] }).sorted()
    guard nodes.count > 2 else { return }
    func difference(_ one: NodeID, _ other: NodeID) -> ClosedRange<Int64>? {
      for pair in known {
        guard let range = pair.raw.range else { continue }
        if pair.first == one, pair.second == other { return range }
        if pair.first == other, pair.second == one { return range.negated }
      }
      return nil
    }
    /// Where nothing went between both, by what each is apart from a third one.
    func isApart(_ one: NodeID, _ other: NodeID) -> Bool {
      if let range = difference(one, other) { return !range.contains(0) }
      return nodes.contains { third in
        guard let first = difference(third, one), let second = difference(third, other) else {
          return false
        }
        return !first.overlaps(second)
      }
    }
    report.rawOutliers = nodes.filter { node in
      let others = nodes.filter { $0 != node }
      return others.allSatisfy { isApart($0, node) }
        && !others.contains { one in others.contains { $0 != one && isApart(one, $0) } }
    }
  }
}

extension ClosedRange<Int64> {
  /// The same with the sign turned; what does not fit is held at the largest number.
  fileprivate var negated: ClosedRange<Int64> {
    let (low, high) = (Swift.max(lowerBound, -.max), Swift.max(upperBound, -.max))
    return 0 &- high...0 &- low
  }
}
