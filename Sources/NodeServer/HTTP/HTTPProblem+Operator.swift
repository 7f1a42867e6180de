import Replica

extension HTTPProblem {
  static func operatorBodyNotObject(_ noun: String) -> HTTPProblem {
    HTTPProblem(400, "body_not_object", "The body is \(noun); send a JSON object")
  }

  /// Why an operator's request was not carried out: 503 where the same request may do better in a
  /// moment, or may have been carried out; 404 and 400 where it is wrong; 409 where the cluster is
  /// in the way of it.
  init(_ refusal: OperatorRefusal, retryAfterSeconds: Int) {
    self.init(Self.status(refusal), refusal.name, refusal.sentence)
    switch refusal {
    case .noLeader: self.retryAfterSeconds = retryAfterSeconds
    case .notReady, .changing, .behind: self.retryAfterSeconds = 1
    case .malformed, .noVoters, .notLearner, .wouldStop, .unchanged, .unknownMember, .numberTaken,
      .transferFailed, .valueInvalid, .inDoubt:
      break
    }
  }

  private static func status(_ refusal: OperatorRefusal) -> Int {
    switch refusal {
    case .malformed, .valueInvalid: 400
    case .unknownMember: 404
    case .changing, .noVoters, .notLearner, .behind, .wouldStop, .unchanged, .numberTaken: 409
    case .noLeader, .notReady, .transferFailed, .inDoubt: 503
    }
  }
}
