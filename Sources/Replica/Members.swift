import Bytes
package import Ledger
package import Raft
import SegmentLog

/// The changes of members in the log, with addresses: what ``Raft/MembershipLog`` is to consensus.
struct MemberChanges {
  /// Those that a cluster begins with, by its configuration files.
  private let initial: [ClusterMember]
  /// Ascending; of the applied ones only the last.
  private var changes: [(index: LogIndex, change: MembershipChange)] = []

  init(initial: [ClusterMember]) { self.initial = initial }

  /// The members by the last change in the log.
  var current: [ClusterMember] { changes.last?.change.members ?? initial }

  /// The last change, if there ever was one.
  var last: MembershipChange? { changes.last?.change }

  /// Everybody by any change since the last applied one: whom to talk to.
  var reachable: [ClusterMember] {
    var members = current
    for change in changes.reversed() {
      for member in change.change.members
      where !members.contains(where: { $0.id == member.id }) {
        members.append(member)
      }
    }
    return members.sorted { $0.id < $1.id }
  }

  mutating func append(_ change: MembershipChange, at index: LogIndex) {
    changes.append((index, change))
  }

  mutating func truncate(from index: LogIndex) { changes.removeAll { $0.index >= index } }

  /// True if that forgot somebody.
  mutating func compact(applied: LogIndex) -> Bool {
    var hasForgotten = false
    while changes.count > 1, changes[1].index <= applied {
      changes.removeFirst()
      hasForgotten = true
    }
    return hasForgotten
  }
}

extension MembershipChange {
  /// As consensus counts.
  package var membership: Membership {
    Membership(voters: voters, outgoing: outgoing, learners: learners)
  }
}

extension Batch {
  /// The change of members that this batch is, nil where it is none or holds what no leader writes.
  package var membershipChange: MembershipChange? {
    guard header.changesMembers else { return nil }
    let records = records
    let span = records.span.bytes
    var cursor = RecordCursor(span)
    guard let record = try? cursor.next(in: span), record.kind == .membership else { return nil }
    return try? MembershipChange(record.body, in: span)
  }
}
