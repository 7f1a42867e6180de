package import Bytes

/// Who decides, and when they have decided.
///
/// The core asks only ``outcome(granted:refused:)``, ``hasMajority(_:)`` and
/// ``agreedIndex(matches:)``. A joint configuration (Raft §6) answers the same three questions with
/// both of its majorities, and a learner is a peer that is not in here.
package struct Voters: Hashable, Sendable {
  /// What a vote has come to.
  package enum Outcome: Hashable, Sendable {
    /// A majority granted.
    case won
    /// A majority can no longer grant.
    case lost
    /// Both are still possible.
    case open
  }

  /// The voters, ascending.
  package let ids: [NodeID]

  /// The voters `ids`.
  ///
  /// Precondition: ascending without repeats, 1 to ``RaftConfiguration/votersCountMax`` of them.
  package init(_ ids: [NodeID]) {
    precondition(!ids.isEmpty && ids.count <= RaftConfiguration.votersCountMax, "count of voters")
    precondition(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 }, "voters ascend")
    self.ids = ids
  }

  /// How many voters make a majority.
  package var majority: Int { ids.count / 2 + 1 }

  /// The position of `id` among the voters, nil if it is none.
  package func position(of id: NodeID) -> Int? { ids.firstIndex(of: id) }

  /// Whether the voters for whose positions `isIncluded` holds are a majority.
  package func hasMajority(_ isIncluded: (Int) -> Bool) -> Bool {
    var count = 0
    for position in ids.indices where isIncluded(position) { count += 1 }
    return count >= majority
  }

  /// What `granted` and `refused` votes come to.
  package func outcome(granted: Int, refused: Int) -> Outcome {
    if granted >= majority { return .won }
    return ids.count - refused < majority ? .lost : .open
  }

  /// The highest index that a majority holds: the `majority`-th highest of `matches`, asked by
  /// position. No allocation: sorts on the stack.
  package func agreedIndex(matches: (Int) -> LogIndex) -> LogIndex {
    withUnsafeTemporaryAllocation(of: LogIndex.self, capacity: ids.count) { sorted in
      for position in ids.indices {
        let match = matches(position)
        var slot = position
        while slot > 0 && sorted[slot - 1] < match {
          sorted.initializeElement(at: slot, to: sorted[slot - 1])
          slot -= 1
        }
        sorted.initializeElement(at: slot, to: match)
      }
      return sorted[majority - 1]
    }
  }
}

/// The votes of one campaign, one bit per voter position, so that a repeated answer counts once.
struct Ballot: Hashable, Sendable {
  /// Who granted. Invariant: disjoint from `refused`.
  private var granted: UInt16 = 0
  /// Who refused.
  private var refused: UInt16 = 0

  /// A ballot with the vote of the voter at `position`, the candidate itself.
  init(ownPosition position: Int) {
    assert(RaftConfiguration.votersCountMax <= UInt16.bitWidth)
    granted = 1 << position
  }

  /// Notes the answer of the voter at `position`; the first one stands.
  mutating func record(position: Int, isGranted: Bool) {
    let bit: UInt16 = 1 << position
    guard (granted | refused) & bit == 0 else { return }
    if isGranted { granted |= bit } else { refused |= bit }
  }

  /// What it has come to among `voters`.
  func outcome(among voters: Voters) -> Voters.Outcome {
    voters.outcome(granted: granted.nonzeroBitCount, refused: refused.nonzeroBitCount)
  }
}
