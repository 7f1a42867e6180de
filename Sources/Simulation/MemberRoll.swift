import Bytes
import Ledger
import Raft
import Replica

/// Who takes part, by the log, and what has become of the numbers that nodes went by.
struct MemberRoll {
  /// The last configuration that is committed.
  private(set) var current: Membership
  /// Its members, with what the log knows of them.
  private(set) var members: [ClusterMember]
  /// Later ones that stand in a log, or stood.
  private var proposed: [(index: LogIndex, membership: Membership)] = []
  /// Where the log first knew the data directory of each number.
  private(set) var stores: [NodeID: (store: UInt64, index: LogIndex)] = [:]
  /// Numbers that are members no more, and where they left.
  private(set) var left: [(number: NodeID, index: LogIndex)] = []
  /// Numbers whose disks are gone.
  private(set) var lost: [NodeID] = []
  /// By number, the place of the machine that goes or went by it.
  private var places: [Int]

  /// A cluster that begins with these, on the first machines.
  init(_ first: [ClusterMember]) {
    current = Membership(voters: first.map(\.id))
    members = first
    // No node has the number 0.
    places = [-1] + first.indices
  }

  /// A member under a number, with an address of its own.
  static func member(_ number: NodeID) -> ClusterMember {
    ClusterMember(id: number, peerAddress: "node\(number.rawValue):6001")
  }

  /// The place of the machine that goes or went by a number.
  func place(of number: NodeID) -> Int? {
    let place = Int(number.rawValue)
    return places.indices.contains(place) && place > 0 ? places[place] : nil
  }

  /// A number that nobody ever had, for the machine at `place`.
  mutating func takeNumber(for place: Int) -> NodeID {
    places.append(place)
    return NodeID(UInt16(places.count - 1))
  }

  /// The disk of that number is gone.
  mutating func lose(_ number: NodeID) { lost.append(number) }

  /// A change stands in a log.
  mutating func propose(_ change: MembershipChange, at index: LogIndex) {
    proposed.append((index, change.membership))
  }

  /// A change is committed.
  mutating func commit(_ change: MembershipChange, at index: LogIndex) {
    let next = change.membership
    for number in current.members where !next.members.contains(number) {
      left.append((number, index))
    }
    for member in change.members where member.store != 0 && stores[member.id] == nil {
      stores[member.id] = (member.store, index)
    }
    current = next
    members = change.members
    proposed.removeAll { $0.index <= index }
  }

  /// The configurations that a node may count by from now on: the last committed one, and those
  /// after `committed` that stand in a log, or stood.
  func living(after committed: LogIndex) -> [Membership] {
    [current] + proposed.filter { $0.index > committed }.map(\.membership)
  }
}

extension Membership {
  /// The halves that must each agree.
  var halves: [[NodeID]] { isJoint ? [voters, outgoing] : [voters] }
}
