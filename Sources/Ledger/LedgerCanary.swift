/// Faults that the simulator puts into a ledger to see that its checkers find them. Empty everywhere
/// else; the source's tests see to that.
package struct LedgerCanary: OptionSet, Sendable {
  /// The options' bits.
  package let rawValue: UInt8

  /// Options from their bits.
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// A payment that is in the log twice moves its money twice.
  package static let appliesAgain = LedgerCanary(rawValue: 1)
}
