import Bytes
package import JSONText
package import Ledger

/// Reads the body of `POST /payment`: pure, one pass, bounded.
package enum PaymentBody {
  /// What a body may hold. A name has at most 100 characters; the rest is room for a good answer.
  package static let limits = JSONLimits(
    depthMax: 16, stringByteCountMax: 4096, numberByteCountMax: 64)
  /// Most members of the object, fields that are ignored among them.
  static let memberCountMax = 64

  /// The payment that `bytes` ask for, checked.
  ///
  /// Fields that are not known are ignored, as the original system did; no key may stand twice.
  package static func draft(
    _ bytes: borrowing RawSpan, rules: PaymentRules, makeID: () -> TransactionID
  ) throws(HTTPProblem) -> PaymentDraft {
    var reader = PaymentBodyReader(bytes)
    try reader.read(bytes)
    do {
      return try PaymentDraft(validating: reader.request, rules: rules, makeID: makeID)
    } catch {
      throw HTTPProblem(error)
    }
  }
}

/// The state of reading one body.
private struct PaymentBodyReader {
  private var scanner: JSONScanner
  /// What has been read.
  private(set) var request = PaymentRequest()
  /// Whose value is being read, for the error's `field`.
  private var field: PaymentField?
  /// One bit for each known field that has been seen.
  private var seen: UInt8 = 0
  /// Keys of the fields that are ignored.
  private var others: [JSONString] = []
  private var memberCount = 0

  init(_ bytes: borrowing RawSpan) {
    scanner = JSONScanner(bytes, limits: PaymentBody.limits)
  }

  mutating func read(_ bytes: borrowing RawSpan) throws(HTTPProblem) {
    let value = try value(bytes)
    guard case .object = value else { throw .bodyNotObject(value.noun) }
    while let key = try member(bytes) {
      memberCount += 1
      guard memberCount <= PaymentBody.memberCountMax else {
        throw problem(
          JSONError(
            .tooManyMembers(limit: PaymentBody.memberCountMax), at: key.range.lowerBound - 1))
      }
      if let known = Self.field(key, in: bytes) {
        try readField(known, key, bytes)
      } else {
        try skipOther(key, bytes)
      }
    }
    do { try scanner.finish(in: bytes) } catch { throw problem(error) }
  }

  private mutating func readField(
    _ known: PaymentField, _ key: JSONString, _ bytes: borrowing RawSpan
  ) throws(HTTPProblem) {
    field = known
    let bit = Self.bit(known)
    guard seen & bit == 0 else { throw duplicate(key) }
    seen |= bit
    let value = try value(bytes)
    if known == .amount {
      guard case .number(let number) = value else { throw HTTPProblem(.amountNotANumber) }
      request.amount = number.text(in: bytes)
    } else {
      guard case .string(let string) = value else { throw HTTPProblem(.notText(known)) }
      set(known, to: string.utf8(in: bytes))
    }
    field = nil
  }

  private mutating func skipOther(
    _ key: JSONString, _ bytes: borrowing RawSpan
  ) throws(HTTPProblem) {
    for other in others where other.equals(key, in: bytes) { throw duplicate(key) }
    others.append(key)
    do { try scanner.skip(in: bytes) } catch { throw problem(error) }
  }

  private mutating func set(_ known: PaymentField, to text: [UInt8]) {
    switch known {
    case .amount: break
    case .sender: request.sender = text
    case .receiver: request.receiver = text
    case .currency: request.currency = text
    case .transactionID: request.transactionID = text
    case .reference: request.reference = text
    }
  }

  private mutating func value(_ bytes: borrowing RawSpan) throws(HTTPProblem) -> JSONValue {
    do { return try scanner.value(in: bytes) } catch { throw problem(error) }
  }

  private mutating func member(_ bytes: borrowing RawSpan) throws(HTTPProblem) -> JSONString? {
    do { return try scanner.member(in: bytes) } catch { throw problem(error) }
  }

  private func duplicate(_ key: JSONString) -> HTTPProblem {
    problem(JSONError(.duplicateKey, at: key.range.lowerBound - 1))
  }

  private func problem(_ error: JSONError) -> HTTPProblem {
    HTTPProblem(error, field: field?.rawValue)
  }

  private static func field(_ key: JSONString, in bytes: borrowing RawSpan) -> PaymentField? {
    // The length decides first: most keys are compared with one name only.
    switch key.hasEscapes ? 0 : key.range.count {
    case 6:
      if key.equals("amount", in: bytes) { return .amount }
      if key.equals("sender", in: bytes) { return .sender }
    case 8:
      if key.equals("receiver", in: bytes) { return .receiver }
      if key.equals("currency", in: bytes) { return .currency }
    case 9: if key.equals("reference", in: bytes) { return .reference }
    case 14: if key.equals("transaction_id", in: bytes) { return .transactionID }
    case 0:
      let name = key.text(in: bytes)
      return PaymentField(rawValue: name)
    default: break
    }
    return nil
  }

  private static func bit(_ field: PaymentField) -> UInt8 {
    switch field {
    case .amount: 1
    case .sender: 2
    case .receiver: 4
    case .currency: 8
    case .transactionID: 16
    case .reference: 32
    }
  }
}
