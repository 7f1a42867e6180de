package import Bytes

/// A configuration as one node counts in it: members by position, majorities as bit sets.
///
/// The core asks only ``outcome(granted:refused:)``, ``hasMajority(_:)`` and
/// ``agreedIndex(matches:)``; while the voters change, both majorities must say yes (Raft §6), and
/// learners are counted in none.
package struct Roster: Hashable, Sendable {
  /// What a vote has come to.
  package enum Outcome: Hashable, Sendable {
    /// Every majority asked granted.
    case won
    /// Some majority can no longer grant.
    case lost
    /// Both are still possible.
    case open
  }

  /// All members, ascending, the node itself, whether or not it is one, and who is departing.
  package let ids: [NodeID]
  /// The node's own position.
  package let ownPosition: Int
  /// The voters, of both configurations while they change, ascending.
  package let voters: [NodeID]
  /// The positions of the voters, as bits.
  private let incoming: UInt64
  /// The positions of the voters before the change under way, as bits; 0 when there is none.
  private let outgoing: UInt64

  /// Whether there are nodes that are members no more, but are still to be told so.
  package let hasDeparting: Bool

  /// `membership` as `own` counts in it, with the nodes of `departing` that have left it.
  package init(_ membership: Membership, own: NodeID, departing: [NodeID] = []) {
    var ids = membership.members
    if !ids.contains(own) { ids.append(own) }
    let memberCount = ids.count
    // Whoever is too many to be counted hears of it from the others.
    for id in departing where !ids.contains(id) && ids.count < UInt64.bitWidth { ids.append(id) }
    hasDeparting = ids.count > memberCount
    ids.sort()
    assert(2 * Membership.votersCountMax + Membership.learnersCountMax < UInt64.bitWidth)
    func bits(_ part: [NodeID]) -> UInt64 {
      var bits: UInt64 = 0
      for (position, id) in ids.enumerated() where part.contains(id) { bits |= 1 << position }
      return bits
    }
    incoming = bits(membership.voters)
    outgoing = bits(membership.outgoing)
    guard let position = ids.firstIndex(of: own) else { preconditionFailure("added above") }
    ownPosition = position
    self.ids = ids
    voters = ids.filter { membership.isVoter($0) }
  }

  /// The position of `id`, nil if it is no member.
  package func position(of id: NodeID) -> Int? { ids.firstIndex(of: id) }

  /// Whether the member at `position` has a vote.
  package func isVoter(_ position: Int) -> Bool { (incoming | outgoing) & (1 << position) != 0 }

  /// Whether the node itself has a vote.
  package var hasOwnVote: Bool { isVoter(ownPosition) }

  /// Whether the node decides alone.
  package var isAlone: Bool { hasOwnVote && (incoming | outgoing).nonzeroBitCount == 1 }

  /// Whether the members for whose positions `isIncluded` holds are a majority, of both
  /// configurations while the voters change. A configuration without voters never has one.
  package func hasMajority(_ isIncluded: (Int) -> Bool) -> Bool {
    var included: UInt64 = 0
    for position in ids.indices where isIncluded(position) { included |= 1 << position }
    return outcome(granted: included, refused: 0) == .won
  }

  /// What `granted` and `refused`, positions as bits, come to.
  package func outcome(granted: UInt64, refused: UInt64) -> Outcome {
    let first = Self.outcome(of: incoming, granted: granted, refused: refused)
    guard outgoing != 0 else { return first }
    switch (first, Self.outcome(of: outgoing, granted: granted, refused: refused)) {
    case (.won, .won): return .won
    case (.lost, _), (_, .lost): return .lost
    case (.open, _), (_, .open): return .open
    }
  }

  private static func outcome(of set: UInt64, granted: UInt64, refused: UInt64) -> Outcome {
    let majority = set.nonzeroBitCount / 2 + 1
    if (granted & set).nonzeroBitCount >= majority { return .won }
    return (set & ~refused).nonzeroBitCount < majority ? .lost : .open
  }

  /// The highest index that a majority holds, of both configurations while the voters change;
  /// `matches` is asked by position. ``LogIndex/zero`` without voters.
  package func agreedIndex(matches: (Int) -> LogIndex) -> LogIndex {
    LogIndex(agreedValue { matches($0).rawValue })
  }

  /// The highest value that a majority has reached, of both configurations while the voters
  /// change; 0 without voters.
  package func agreedValue(_ value: (Int) -> UInt64) -> UInt64 {
    let first = agreedValue(of: incoming, value)
    return outgoing == 0 ? first : min(first, agreedValue(of: outgoing, value))
  }

  /// The majority-th highest value in `set`. No allocation: sorts on the stack.
  private func agreedValue(of set: UInt64, _ value: (Int) -> UInt64) -> UInt64 {
    guard set != 0 else { return 0 }
    return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: set.nonzeroBitCount) { sorted in
      var count = 0
      for position in ids.indices where set & (1 << position) != 0 {
        let own = value(position)
        var slot = count
        while slot > 0 && sorted[slot - 1] < own {
          sorted.initializeElement(at: slot, to: sorted[slot - 1])
          slot -= 1
        }
        sorted.initializeElement(at: slot, to: own)
        count += 1
      }
      return sorted[count / 2]
    }
  }
}

/// The votes of one campaign, one bit per position, so that a repeated answer counts once.
struct Ballot: Hashable, Sendable {
  /// Who granted. Invariant: disjoint from `refused`.
  private var granted: UInt64 = 0
  /// Who refused.
  private var refused: UInt64 = 0

  /// A ballot with the vote of the voter at `position`, the candidate itself.
  init(ownPosition position: Int) { granted = 1 << position }

  /// Notes the answer of the member at `position`; the first one stands.
  mutating func record(position: Int, isGranted: Bool) {
    let bit: UInt64 = 1 << position
    guard (granted | refused) & bit == 0 else { return }
    if isGranted { granted |= bit } else { refused |= bit }
  }

  /// What it has come to in `roster`.
  func outcome(in roster: Roster) -> Roster.Outcome {
    roster.outcome(granted: granted, refused: refused)
  }
}
