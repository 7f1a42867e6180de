/// A field of a payment request, by its name in the API.
public enum PaymentField: String, Sendable, CaseIterable {
  /// The amount of money.
  case amount
  /// The account that pays.
  case sender
  /// The account that is paid.
  case receiver
  /// The ISO 4217 code.
  case currency
  /// The client's own id for the payment.
  case transactionID = "transaction_id"
  /// Free text that goes with the payment.
  case reference
}

/// Why a payment was refused before it was logged. The code is stable, the sentence is for people.
public enum PaymentProblem: Error, Hashable, Sendable {
  /// The request lacks a field that it must have (amount, sender or receiver).
  case missing(PaymentField)
  /// A field that must be a JSON string is something else.
  case notText(PaymentField)
  /// A name is empty after trimming.
  case empty(PaymentField)
  /// A name or reference has too many Unicode scalars.
  case tooLong(PaymentField)
  /// A name or reference holds what ``NameText`` forbids.
  case invalid(PaymentField)
  /// The amount is not a JSON number.
  case amountNotANumber
  /// The amount is zero or less.
  case amountNotPositive
  /// The amount has more decimals than its currency.
  case amountTooPrecise(Currency)
  /// The amount is over the configured limit, in minor units.
  case amountTooLarge(Currency, limitMinorUnits: Int64)
  /// Sender and receiver are the same account.
  case sameAccount
  /// The currency is not an active ISO 4217 code with a minor unit.
  case currencyUnknown
  /// The transaction id is not 1–100 bytes of visible ASCII.
  case transactionIDInvalid

  /// Stable name of the error, snake case: `amount_not_positive`.
  public var code: String {
    switch self {
    case .missing(let field): "\(field.rawValue)_missing"
    case .notText(let field): "\(field.rawValue)_not_text"
    case .empty(let field): "\(field.rawValue)_empty"
    case .tooLong(let field): "\(field.rawValue)_too_long"
    case .invalid(let field): "\(field.rawValue)_invalid"
    case .amountNotANumber: "amount_not_a_number"
    case .amountNotPositive: "amount_not_positive"
    case .amountTooPrecise: "amount_too_precise"
    case .amountTooLarge: "amount_too_large"
    case .sameAccount: "same_account"
    case .currencyUnknown: "currency_unknown"
    case .transactionIDInvalid: "transaction_id_invalid"
    }
  }

  /// The field that has to change.
  public var field: PaymentField {
    switch self {
    case .missing(let field), .notText(let field), .empty(let field), .tooLong(let field),
      .invalid(let field):
      field
    case .amountNotANumber, .amountNotPositive, .amountTooPrecise, .amountTooLarge: .amount
    case .sameAccount: .receiver
    case .currencyUnknown: .currency
    case .transactionIDInvalid: .transactionID
    }
  }

  /// An English sentence that says how to mend the request.
  public var sentence: String {
    switch self {
    case .missing(let field): "Field \(field.rawValue) is missing; add it to the request"
    case .notText(let field): "Field \(field.rawValue) must be a JSON string"
    case .empty(let field):
      "\(field.label) must not be empty; give at least one character that is not white space"
    case .tooLong(let field):
      "\(field.label) must have at most \(field.scalarCountMax) characters; shorten it"
    case .invalid(let field):
      "\(field.label) must be text without control or invisible characters; remove them"
    case .amountNotANumber: "Amount must be a JSON number such as 150.75, without quotes"
    case .amountNotPositive: "Amount must be positive"
    case .amountTooPrecise(let currency):
      "Amount must have at most \(currency.exponent) decimals in \(currency.code); round it"
    case .amountTooLarge(let currency, let limit):
      "Amount must be at most \(Amount.text(minorUnits: Int128(limit), currency: currency)) "
        + "\(currency.code); split the payment"
    case .sameAccount: "Sender and receiver must be different accounts"
    case .currencyUnknown:
      "Currency must be an active ISO 4217 code in three upper-case letters, such as USD"
    case .transactionIDInvalid:
      "Transaction id must be \(TransactionID.textByteCountMax) characters or fewer of visible "
        + "ASCII, without spaces"
    }
  }
}

extension PaymentField {
  /// The field at the start of a sentence.
  fileprivate var label: String {
    switch self {
    case .amount: "Amount"
    case .sender: "Sender"
    case .receiver: "Receiver"
    case .currency: "Currency"
    case .transactionID: "Transaction id"
    case .reference: "Reference"
    }
  }

  fileprivate var scalarCountMax: Int {
    self == .reference ? NameText.referenceScalarCountMax : NameText.nameScalarCountMax
  }
}
