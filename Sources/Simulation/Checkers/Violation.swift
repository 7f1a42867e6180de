/// A property that did not hold.
package struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
  /// The property's name.
  package let property: String
  /// What was seen instead.
  package let detail: String

  /// A violation of `property`.
  package init(_ property: String, _ detail: String) {
    self.property = property
    self.detail = detail
  }

  /// Property and detail.
  package var description: String { "\(property): \(detail)" }
}
