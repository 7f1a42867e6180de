/// Faults that the simulator puts into consensus to see that its checkers find them. Empty everywhere
/// else; the source's tests see to that.
package struct RaftCanary: OptionSet, Sendable {
  /// The options' bits.
  package let rawValue: UInt8

  /// Options from their bits.
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// A leader counts copies of an entry of an earlier term as its commit (Raft figure 8).
  package static let commitsEarlierTerms = RaftCanary(rawValue: 1)
}
