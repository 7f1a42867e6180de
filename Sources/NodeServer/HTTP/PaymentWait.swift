/// What the answer to a payment waits for beside its outcome.
enum PaymentWait: Hashable {
  /// Nothing.
  case none
  /// That the payment's latest time has passed: `?time=certain`.
  case certain

  /// Reads the query of `POST /payment`.
  init(_ query: Substring) throws(HTTPProblem) {
    guard !query.isEmpty else {
      self = .none
      return
    }
    guard let value = try QueryText(query, known: ["time"])["time"] else {
      self = .none
      return
    }
    guard value == Array("certain".utf8) else {
      throw HTTPProblem(
        400, "parameter_invalid", "time must be certain, or absent", field: "time")
    }
    self = .certain
  }
}
