import Bytes
import JSONText
import Ledger
import NodeServer
import Replica
import SegmentLog

/// The body of a request that changes something.
enum BodyFuzzing {
  private static let madeID = TransactionID(high: 1, low: 2)

  /// Reads the body as a payment's and as an operator's.
  static func run(_ bytes: [UInt8]) {
    checkPayment(bytes)
    for action in OperatorAction.allCases { checkOperator(action, bytes) }
  }

  // MARK: A payment

  private static func checkPayment(_ bytes: [UInt8]) {
    guard let draft = draft(bytes) else { return }
    precondition(isJSON(bytes), "a payment is JSON for every reader")
    checkAmount(draft, bytes)
    checkRecord(draft)
    let rewritten = text(of: draft)
    guard let again = self.draft(rewritten) else {
      preconditionFailure("a payment can be sent again")
    }
    precondition(again == draft, "a payment that is sent again is the same")
  }

  private static func draft(_ bytes: [UInt8]) -> PaymentDraft? {
    do throws(HTTPProblem) {
      return try PaymentBody.draft(bytes.span.bytes, rules: PaymentRules(), makeID: { madeID })
    } catch {
      precondition((400..<500).contains(error.status), "a bad body is the client's fault")
      return nil
    }
  }

  private static func isJSON(_ bytes: [UInt8]) -> Bool {
    do throws(JSONError) {
      try JSONScanner.check(bytes.span.bytes, limits: PaymentBody.limits)
      return true
    } catch {
      return false
    }
  }

  /// No digit is lost or made up between the text and the minor units.
  private static func checkAmount(_ draft: PaymentDraft, _ bytes: [UInt8]) {
    guard let written = try? amountText(bytes) else {
      preconditionFailure("a payment has an amount")
    }
    let counted = Amount.formatted(
      minorUnits: Int128(draft.amountMinorUnits), exponent: draft.currency.exponent)
    precondition(DecimalNumber(written) == DecimalNumber(counted), "money is read exactly")
  }

  /// The amount's own characters, found by walking the members.
  private static func amountText(_ bytes: [UInt8]) throws(JSONError) -> [UInt8]? {
    let span = bytes.span.bytes
    var scanner = JSONScanner(span, limits: PaymentBody.limits)
    guard case .object = try scanner.value(in: span) else { return nil }
    while let key = try scanner.member(in: span) {
      let value = try scanner.value(in: span)
      if key.text(in: span) == "amount", case .number(let number) = value {
        return number.text(in: span)
      }
      try scanner.skipRest(of: value, in: span)
    }
    return nil
  }

  /// What a client may send, the log can hold.
  private static func checkRecord(_ draft: PaymentDraft) {
    var writer = ByteWriter()
    draft.encode(stamp: Samples.stamp(1), into: &writer)
    let span = writer.bytes.span.bytes
    var cursor = RecordCursor(span)
    guard let record = try? cursor.next(in: span),
      let view = try? PaymentView(record.body, in: span)
    else { preconditionFailure("a payment has a record") }
    precondition(view.draft(in: span) == draft, "a record holds all of a payment")
  }

  private static func text(of draft: PaymentDraft) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("amount")
    writer.decimal(Int128(draft.amountMinorUnits), decimals: draft.currency.exponent)
    writer.key("currency")
    writer.string(draft.currency.code)
    writer.key("sender")
    writer.string(utf8: draft.sender)
    writer.key("receiver")
    writer.string(utf8: draft.receiver)
    if let reference = draft.reference {
      writer.key("reference")
      writer.string(utf8: reference)
    }
    writer.key("transaction_id")
    writer.string(utf8: draft.id.bytes)
    writer.endObject()
    return writer.bytes
  }

  // MARK: An operator's request

  private static func checkOperator(_ action: OperatorAction, _ bytes: [UInt8]) {
    let request: OperatorRequest
    do throws(HTTPProblem) {
      request = try OperatorBody.request(action, bytes.span.bytes)
    } catch {
      precondition((400..<500).contains(error.status), "a bad body is the client's fault")
      return
    }
    precondition(isJSON(bytes), "a request is JSON for every reader")
    var writer = ByteWriter()
    PeerFrame.encode(.operatorRequest(context: 1, request), into: &writer)
    let frame = Array(writer.bytes.dropFirst(4))
    var opener = BatchOpener()
    guard
      case .operatorRequest(1, let again)? = try? PeerFrame.decode(
        frame.span.bytes, opener: &opener)
    else { preconditionFailure("a request can be passed on to the leader") }
    precondition(again == request, "a request that is passed on is the same")
    if case .setPolicy(let key, let value) = request {
      precondition(key.range.contains(value), "a rule's value is in its range")
    }
  }
}

/// A number in its one form: the digits without zeros at both ends, and the power of ten of the last.
/// Read character by character, with no arithmetic that could round.
struct DecimalNumber: Equatable {
  private(set) var digits: [UInt8] = []
  private(set) var power = 0

  /// A number that has been found to be one (RFC 8259 §6), not negative.
  init(_ text: [UInt8]) {
    let mark = text.firstIndex { $0 | 0x20 == UInt8(ascii: "e") } ?? text.endIndex
    let mantissa = text[..<mark]
    let point = mantissa.firstIndex(of: UInt8(ascii: ".")) ?? mark
    digits = mantissa.filter { $0 != UInt8(ascii: ".") }
    power = -max(0, mark - point - 1)
    if mark < text.endIndex {
      let exponent = String(decoding: text[(mark + 1)...], as: UTF8.self)
      power += Int(exponent) ?? 0
    }
    while digits.last == UInt8(ascii: "0") {
      digits.removeLast()
      power += 1
    }
    digits = Array(digits.drop { $0 == UInt8(ascii: "0") })
    if digits.isEmpty { power = 0 }
  }
}

/// Bodies that are right, and bodies that are nearly so.
enum BodySeeds {
  static var all: [[UInt8]] {
    texts.map { Array($0.utf8) }
  }

  private static let texts = [
    #"{"amount":150.75,"sender":"alice","receiver":"bob"}"#,
    #"{"amount":1.5e2,"sender":" al\u0069ce ","receiver":"b","currency":"JPY"}"#,
    #"{"amount":0.010,"sender":"a","receiver":"b","currency":"EUR","transaction_id":"t-1","#
      + #""reference":"R\u00e9f \ud83d\ude00 \"\\\/\b\f\n\r\t"}"#,
    #"{"amount":1000000.00E-0,"sender":"山田","receiver":"Zoë","reference":"","currency":"KWD"}"#,
    #"{"amount":100000000e-2,"sender":"a","receiver":"b","transaction_id":"#
      + #""txn_01M81XT5K0JS4SKD8B4BKSDY44"}"#,
    #"{"note":{"deep":[1,{"x":null},[],{}]},"":0,"Amount":"x","amount":1,"sender":"a","receiver":"b"}"#,
    #" [ 1 , -2.5e+3 , true , false , null , "x" ] "#,
    #"{"action":"add","id":4,"peer":"10.0.0.4:6001","client":"[::1]:5001"}"#,
    #"{"action":"replace","id":"3","with":4}"#, #"{"action":"promote","id":4}"#,
    #"{"action":"demote","id":4}"#, #"{"action":"remove","id":1023}"#, "{}", #"{"to":2}"#,
    #"{"key":"clock.policy","value":"refuse"}"#, #"{"key":"segment.bytes","value":1048576}"#,
    #"{"key":"accounts.overdraft","value":"no"}"#,
  ]
}
