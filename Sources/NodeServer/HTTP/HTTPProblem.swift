import Bytes
import JSONText
import Ledger

/// A request that is answered with an error: `{"error":"sentence","code":"…","field":"…"}`.
package struct HTTPProblem: Error, Hashable {
  /// The status code (RFC 9110 §15).
  package var status: Int
  /// Stable name, snake case.
  var code: String
  /// What is wrong and how to mend it.
  var sentence: String
  /// The field, parameter or header that has to change.
  var field: String?
  /// When it may work, seconds (RFC 9110 §10.2.3).
  var retryAfterSeconds: Int?
  /// What the resource allows, on 405 (RFC 9110 §10.2.1).
  var allow: String?
  /// How new what it says is, where it answers a read.
  var consistency: ReadConsistency?
  /// Whether the connection is closed after the answer, because the rest of the request is not read.
  var closes = false

  init(
    _ status: Int, _ code: String, _ sentence: String, field: String? = nil,
    retryAfterSeconds: Int? = nil
  ) {
    self.status = status
    self.code = code
    self.sentence = sentence
    self.field = field
    self.retryAfterSeconds = retryAfterSeconds
  }
}

// MARK: - The request as a whole

extension HTTPProblem {
  static func unknownPath(_ path: String) -> HTTPProblem {
    HTTPProblem(
      404, "path_unknown",
      "There is nothing at \(path.prefix(100)); the paths are /payment, /transactions, "
        + "/get_ledger, /health, /status, /ping, /livez, /readyz, /v1/members, /v1/leader, "
        + "/v1/policy, /v1/payments/{id}/receipt, /v1/checkpoint, /v1/consistency, "
        + "/v1/trust-policy and /v1/log")
  }

  static func wrongMethod(allow: String, path: String) -> HTTPProblem {
    var problem = HTTPProblem(
      405, "method_not_allowed", "\(path.prefix(100)) takes \(allow); use one of these methods")
    problem.allow = allow
    return problem
  }

  static let targetTooLong = HTTPProblem(
    414, "target_too_long",
    "The path and query are longer than \(Route.targetByteCountMax) bytes; ask for less at once")

  static func bodyTooLarge(limit: Int) -> HTTPProblem {
    var problem = HTTPProblem(
      413, "body_too_large", "The body is over \(limit) bytes; send one payment in each request")
    problem.closes = true
    return problem
  }

  static let contentTypeMissing = HTTPProblem(
    415, "content_type_missing", "Send the header Content-Type: application/json",
    field: "Content-Type")

  static func contentTypeWrong(_ given: String) -> HTTPProblem {
    HTTPProblem(
      415, "content_type_not_json",
      "The Content-Type is \(given.prefix(100)); send the header Content-Type: application/json",
      field: "Content-Type")
  }
}

// MARK: - The body of a payment

extension HTTPProblem {
  static let bodyEmpty = HTTPProblem(
    400, "body_empty",
    "The body is empty; send a JSON object with amount, sender and receiver")

  static func bodyNotObject(_ noun: String) -> HTTPProblem {
    HTTPProblem(
      400, "body_not_object",
      "The body is \(noun); send a JSON object with amount, sender and receiver")
  }

  /// What the scanner refused, with the field whose value it was reading.
  init(_ error: JSONError, field: String?) {
    let code =
      switch error.reason {
      case .empty: "body_empty"
      case .invalidUTF8: "json_not_utf8"
      case .controlCharacter: "json_control_character"
      case .loneSurrogate: "json_lone_surrogate"
      case .tooDeep: "json_too_deep"
      case .stringTooLong: "json_string_too_long"
      case .numberTooLong: "json_number_too_long"
      case .duplicateKey: "json_duplicate_key"
      case .tooManyMembers: "json_too_many_members"
      case .byteOrderMark, .unexpectedEnd, .expectedValue, .unknownWord, .expectedKey,
        .expectedColon, .expectedCommaOrBrace, .expectedCommaOrBracket, .trailingComma,
        .trailingText, .malformedNumber, .malformedEscape:
        "json_invalid"
      }
    self =
      error.reason == .empty
      ? .bodyEmpty : HTTPProblem(400, code, error.sentence, field: field)
  }

  /// A field that a payment cannot have.
  init(_ problem: PaymentProblem) {
    self.init(400, problem.code, problem.sentence, field: problem.field.rawValue)
  }
}

// MARK: - What the node answers

extension HTTPProblem {
  init(_ refusal: Refusal, id: String) {
    switch refusal {
    case .noMajority(let seconds):
      self.init(
        503, "no_majority",
        "The cluster has no majority or is electing a leader; nothing was recorded, send it again",
        retryAfterSeconds: max(seconds, 1))
    case .overloaded(let seconds):
      self.init(
        503, "overloaded",
        "Too many payments are waiting here; nothing was recorded, send it again",
        retryAfterSeconds: max(seconds, 1))
    case .timedOut:
      self.init(
        503, "outcome_unknown",
        "The outcome is not known yet: ask GET /transactions/\(id), or send the payment again "
          + "with the same transaction_id, which is always safe", retryAfterSeconds: 1)
    case .clockUnfit(let reason):
      self.init(
        503, "clock_unfit",
        "This node's clock cannot stamp a payment (\(reason)); send it to another node",
        retryAfterSeconds: 5)
    case .diskFull:
      // RFC 4918 §11.5.
      self.init(
        507, "disk_full",
        "The disk of this node, or of the leader, is nearly full; nothing was recorded, send it to "
          + "another node or later", retryAfterSeconds: 5)
    case .stopping:
      self.init(
        503, "stopping", "This node is stopping; nothing was recorded, send it to another node",
        retryAfterSeconds: 1)
      closes = true
    case .idReused: self = .idReused
    }
  }

  static let idReused = HTTPProblem(
    422, "transaction_id_reused",
    "This transaction_id was used for a payment with other contents; use a new one",
    field: "transaction_id")

  /// What the ledger rejected, at its place in the log.
  static func rejected(_ code: OutcomeCode, sequence: EventSequence) -> HTTPProblem {
    let place = "rejected at sequence \(sequence.rawValue)"
    switch code {
    case .idReused: return .idReused
    case .balanceOverflow:
      return HTTPProblem(
        409, code.name, "The payment was \(place): a balance would leave 128 bits",
        field: "amount")
    case .sameAccount:
      return HTTPProblem(
        409, code.name, "The payment was \(place): sender and receiver are the same account",
        field: "receiver")
    case .exponentMismatch:
      return HTTPProblem(
        409, code.name,
        "The payment was \(place): this ledger counts the currency with other decimals",
        field: "currency")
    case .accountsFull:
      return HTTPProblem(
        409, code.name,
        "The payment was \(place): the ledger has no room for another account; pay between "
          + "accounts that exist")
    case .insufficientFunds:
      return HTTPProblem(
        409, code.name,
        "The payment was \(place): the sender's balance is lower than the amount, and the "
          + "cluster's policy allows no overdraft", field: "amount")
    case .unknownAccount:
      return HTTPProblem(
        409, code.name,
        "The payment was \(place): an account does not exist, and the cluster's policy does not "
          + "let payments open it", field: "receiver")
    case .applied, .duplicate, .noted:
      preconditionFailure("not a rejection: \(code.name)")
    }
  }

  static func transactionUnknown(_ id: String, _ consistency: ReadConsistency) -> HTTPProblem {
    let place = consistency == .local ? "here" : "to the cluster"
    var problem = HTTPProblem(
      404, "transaction_unknown",
      "No transaction \(id) is known \(place); sending it is safe", field: "transaction_id")
    problem.consistency = consistency
    return problem
  }

  init(_ problem: ReadProblem) {
    switch problem {
    case .busy(let seconds):
      self.init(
        503, "overloaded", "Too many lists are being read here; ask again",
        retryAfterSeconds: max(seconds, 1))
    case .unconfirmed(let seconds):
      self.init(
        503, "read_unconfirmed",
        "No leader confirmed that this answer would be new: the cluster has no majority, or is "
          + "electing a leader; ask again, or ask with consistency=local for what this node has",
        retryAfterSeconds: max(seconds, 1))
    case .stopping:
      self.init(
        503, "stopping", "This node is stopping; ask another node", retryAfterSeconds: 1)
      closes = true
    case .unreadable:
      self.init(
        500, "log_unreadable",
        "This node could not read its log; ask another node and look at this node's own log")
    }
  }
}
