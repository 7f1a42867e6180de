/// What a client sent, field by field and unchecked; nil where a field was absent.
public struct PaymentRequest: Hashable, Sendable {
  /// The JSON number's own digits, never its value as binary floating point.
  public var amount: [UInt8]?
  /// Unescaped text of the JSON string, UTF-8; so are the others.
  public var sender: [UInt8]?
  /// The account that is paid.
  public var receiver: [UInt8]?
  /// ISO 4217 code; absent means USD.
  public var currency: [UInt8]?
  /// The client's id; absent means that the ingress makes one.
  public var transactionID: [UInt8]?
  /// Free text.
  public var reference: [UInt8]?

  /// A request from its fields.
  public init(
    amount: [UInt8]? = nil, sender: [UInt8]? = nil, receiver: [UInt8]? = nil,
    currency: [UInt8]? = nil, transactionID: [UInt8]? = nil, reference: [UInt8]? = nil
  ) {
    self.amount = amount
    self.sender = sender
    self.receiver = receiver
    self.currency = currency
    self.transactionID = transactionID
    self.reference = reference
  }
}

/// What the operator configures about payments at the ingress.
public struct PaymentRules: Hashable, Sendable {
  /// Most whole units that one payment may move, in any currency. Invariant: 1 … ``unitsMaxMax``.
  public let amountUnitsMax: Int64
  /// Highest that ``amountUnitsMax`` can be set: in minor units of any currency it fits 64 bits.
  public static let unitsMaxMax: Int64 = Int64.max / 10_000

  /// Rules with this limit, or nil where it is outside 1 … ``unitsMaxMax``.
  public init?(amountUnitsMax: Int64) {
    guard amountUnitsMax >= 1, amountUnitsMax <= Self.unitsMaxMax else { return nil }
    self.amountUnitsMax = amountUnitsMax
  }

  /// The original system's rules: at most 1,000,000.00.
  public init() { amountUnitsMax = 1_000_000 }

  /// The limit in minor units of `currency`.
  public func amountLimit(_ currency: Currency) -> Int64 {
    amountUnitsMax * currency.minorUnitsPerUnit
  }
}

/// A payment that may be logged: checked, but not yet stamped.
public struct PaymentDraft: Hashable, Sendable {
  /// What makes it happen once.
  public let id: TransactionID
  /// Minor units, 1 or more.
  public let amountMinorUnits: Int64
  /// The currency of both accounts.
  public let currency: Currency
  /// The account that pays: UTF-8 as ``NameText/accountName(_:)`` gives it.
  public let sender: [UInt8]
  /// The account that is paid: another name than the sender's.
  public let receiver: [UInt8]
  /// Free text, never empty.
  public let reference: [UInt8]?

  /// Checks a request: currency, amount, sender, receiver, id, reference, in this order.
  ///
  /// `makeID` is called where the request has no id, after everything else was found right.
  public init(
    validating request: PaymentRequest, rules: PaymentRules, makeID: () -> TransactionID
  ) throws(PaymentProblem) {
    currency = try Self.currency(request.currency)
    guard let digits = request.amount else { throw .missing(.amount) }
    amountMinorUnits = try Self.amount(
      digits, currency: currency, limit: rules.amountLimit(currency))
    sender = try Self.name(request.sender, .sender)
    receiver = try Self.name(request.receiver, .receiver)
    guard sender != receiver else { throw .sameAccount }
    reference = try Self.reference(request.reference)
    if let text = request.transactionID {
      do { id = try TransactionID(validating: text.span.bytes) } catch {
        throw .transactionIDInvalid
      }
    } else {
      id = makeID()
    }
  }

  /// A draft of fields that were decoded from a record and checked there.
  init(
    id: TransactionID, amountMinorUnits: Int64, currency: Currency, sender: [UInt8],
    receiver: [UInt8], reference: [UInt8]?
  ) {
    self.id = id
    self.amountMinorUnits = amountMinorUnits
    self.currency = currency
    self.sender = sender
    self.receiver = receiver
    self.reference = reference
  }

  private static func currency(_ code: [UInt8]?) throws(PaymentProblem) -> Currency {
    guard let code else { return .usd }
    do { return try Currency(iso4217: code.span.bytes) } catch { throw .currencyUnknown }
  }

  private static func amount(
    _ digits: [UInt8], currency: Currency, limit: Int64
  ) throws(PaymentProblem) -> Int64 {
    do {
      return try Amount.minorUnits(of: digits.span.bytes, currency: currency, limit: limit)
    } catch {
      switch error {
      case .notANumber: throw .amountNotANumber
      case .negative, .zero: throw .amountNotPositive
      case .tooManyDecimals: throw .amountTooPrecise(currency)
      case .overLimit: throw .amountTooLarge(currency, limitMinorUnits: limit)
      }
    }
  }

  private static func name(
    _ text: [UInt8]?, _ field: PaymentField
  ) throws(PaymentProblem) -> [UInt8] {
    guard let text else { throw .missing(field) }
    do { return try NameText.accountName(text) } catch { throw PaymentProblem(error, field) }
  }

  private static func reference(_ text: [UInt8]?) throws(PaymentProblem) -> [UInt8]? {
    guard let text else { return nil }
    do { return try NameText.reference(text) } catch { throw PaymentProblem(error, .reference) }
  }
}

extension PaymentProblem {
  fileprivate init(_ problem: NameProblem, _ field: PaymentField) {
    switch problem {
    case .empty: self = .empty(field)
    case .tooLong: self = .tooLong(field)
    case .notUTF8, .forbiddenScalar: self = .invalid(field)
    }
  }
}
