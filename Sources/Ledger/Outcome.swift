public import Bytes

/// What applying an event gave, as one byte: it goes into the ledger's running digest.
public enum OutcomeCode: UInt8, Sendable, CaseIterable {
  /// The money moved.
  case applied = 1
  /// A retry of an earlier payment with the same id and payload; nothing happened again.
  case duplicate = 2
  /// A clock report or beacon: noted, no money in it.
  case noted = 3
  /// An earlier payment with other contents has this id.
  case idReused = 16
  /// A balance would leave 128 bits.
  case balanceOverflow = 17
  /// Sender and receiver are the same.
  case sameAccount = 18
  /// The currency's first payment in this ledger had another number of decimals.
  case exponentMismatch = 19
  /// The ledger has as many accounts as it can hold.
  case accountsFull = 20
  /// The sender would be left below zero, which the cluster's policy does not allow.
  case insufficientFunds = 21
  /// An account does not exist, and the cluster's policy does not let payments open it.
  case unknownAccount = 22

  /// Whether a payment was refused.
  @inlinable public var isRejection: Bool { rawValue >= 16 }

  /// Stable name, snake case.
  public var name: String {
    switch self {
    case .applied: "applied"
    case .duplicate: "duplicate"
    case .noted: "noted"
    case .idReused: "transaction_id_reused"
    case .balanceOverflow: "balance_overflow"
    case .sameAccount: "same_account"
    case .exponentMismatch: "currency_exponent_mismatch"
    case .accountsFull: "accounts_full"
    case .insufficientFunds: "insufficient_funds"
    case .unknownAccount: "unknown_account"
    }
  }
}

/// What applying one event gave.
public struct Outcome: Hashable, Sendable {
  /// What happened.
  public let code: OutcomeCode
  /// For ``OutcomeCode/duplicate``, what the original gave; else the same as ``code``.
  public let originalCode: OutcomeCode
  /// For ``OutcomeCode/duplicate`` and ``OutcomeCode/idReused``, the event that has the id; else
  /// zero.
  public let original: EventSequence

  @inlinable init(_ code: OutcomeCode) {
    self.code = code
    originalCode = code
    original = .zero
  }

  @inlinable init(_ code: OutcomeCode, originalCode: OutcomeCode, original: EventSequence) {
    self.code = code
    self.originalCode = originalCode
    self.original = original
  }

  /// Whether the payment stands in the ledger, by this event or by the one it repeats.
  @inlinable public var stands: Bool { originalCode == .applied }
}

/// Why a batch cannot be applied. The node must stop: its ledger and its log no longer agree.
public enum LedgerError: Error, Hashable, Sendable {
  /// The batch does not follow the last one; nothing was changed.
  case sequenceGap(expected: EventSequence, found: EventSequence)
  /// Event numbers end at ``LedgerState/sequenceMax``; nothing was changed.
  case sequenceBeyondLimit(EventSequence)
  /// A record cannot be read.
  case damagedRecord(sequence: EventSequence, error: DecodeError)
  /// A record of a kind that this version does not know: a newer one wrote it.
  case unknownKind(UInt8, sequence: EventSequence)
  /// The batch holds `found` records (or more) and was said to hold `expected`.
  case countMismatch(expected: UInt64, found: UInt64)
  /// The log cannot say whether an id of the batch is in it: a segment, or its index, is not what was
  /// written. Nothing was changed: the batch can be applied when the segment that begins at this index
  /// has been mended; zero: none is to blame.
  case pastUnreadable(segment: LogIndex)
  /// An earlier batch failed midway; this ledger must be rebuilt from the log.
  case broken
}

/// What is known of a transaction id.
public enum TransactionLookup: Hashable, Sendable {
  /// The payment stands, by this event.
  case applied(EventSequence)
  /// This event was refused, for this reason; the id is used up.
  case rejected(EventSequence, OutcomeCode)
  /// No event up to the last applied one has the id.
  case unknown
}

/// What logging a draft would meet, as of the last applied event.
public enum Precheck: Hashable, Sendable {
  /// The id is free.
  case new
  /// An event with the same id and payload is in the log; this is what it gave.
  case known(EventSequence, OutcomeCode)
  /// An event with the same id and another payload is in the log.
  case conflict(EventSequence)
}

/// One account's balance in one currency.
public struct AccountBalance: Hashable, Sendable {
  /// The account's name, UTF-8.
  public let name: [UInt8]
  /// The currency.
  public let currency: Currency
  /// Received − sent, minor units.
  public let minorUnits: Int128

  /// A balance from its parts.
  public init(name: [UInt8], currency: Currency, minorUnits: Int128) {
    self.name = name
    self.currency = currency
    self.minorUnits = minorUnits
  }
}

/// How many events gave what.
public struct LedgerCounts: Hashable, Sendable {
  /// Events applied to the ledger, of every kind and outcome.
  public internal(set) var events: UInt64 = 0
  /// Payments whose money moved.
  public internal(set) var applied: UInt64 = 0
  /// Retries of earlier payments.
  public internal(set) var duplicates: UInt64 = 0
  /// Payments refused by the ledger.
  public internal(set) var rejected: UInt64 = 0
  /// Everything that is no payment: clock reports, beacons, changes of members, leader and rules.
  public internal(set) var noted: UInt64 = 0

  /// No events.
  public init() {}

  @inline(__always)
  mutating func note(_ code: OutcomeCode) {
    events += 1
    switch code {
    case .applied: applied += 1
    case .duplicate: duplicates += 1
    case .noted: noted += 1
    case .idReused, .balanceOverflow, .sameAccount, .exponentMismatch, .accountsFull,
      .insufficientFunds, .unknownAccount:
      rejected += 1
    }
  }
}
