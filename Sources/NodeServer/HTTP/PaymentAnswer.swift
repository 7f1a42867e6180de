package import Bytes
package import HybridTime
package import Ledger

/// What became of a payment that a client of this node sent.
package enum PaymentAnswer: Sendable {
  /// It took effect: now, or, where `duplicate`, when the same payment was sent before.
  case settled(PaymentRecord, duplicate: Bool)
  /// The ledger rejected it, at that place of the log.
  case rejected(code: OutcomeCode, sequence: EventSequence)
  /// It was not logged, or its outcome is in doubt.
  case refused(Refusal)
}

/// Why a payment was not taken in, or not settled in time.
package enum Refusal: Hashable, Sendable {
  /// No leader is known: there is no majority, or an election is under way.
  case noMajority(retryAfterSeconds: Int)
  /// Too many payments wait for their answer here.
  case overloaded(retryAfterSeconds: Int)
  /// Still in doubt: ask by id, or send the same id again.
  case timedOut
  /// This node's clock cannot stamp it; the sentence says why.
  case clockUnfit(reason: String)
  /// The disk of this node, or of the leader, is nearly full.
  case diskFull
  /// The node is stopping.
  case stopping
  /// The id was used before for a payment with other contents.
  case idReused
}

/// A payment as the log has it.
package struct PaymentRecord: Hashable, Sendable {
  /// Its number in the log.
  package var sequence: EventSequence
  /// The Raft index of its batch.
  package var index: LogIndex
  /// The term of its batch, where known.
  package var term: Term?
  /// When and where it was taken in.
  package var stamp: Stamp
  /// What made it happen once.
  package var id: TransactionID
  /// Minor units of `currency`.
  package var amountMinorUnits: Int64
  /// The currency.
  package var currency: Currency
  /// The account that paid, UTF-8.
  package var sender: [UInt8]
  /// The account that was paid, UTF-8.
  package var receiver: [UInt8]
  /// Free text, UTF-8.
  package var reference: [UInt8]?

  /// A record of a draft that was logged.
  package init(
    _ draft: PaymentDraft, stamp: Stamp, sequence: EventSequence, index: LogIndex,
    term: Term? = nil
  ) {
    self.sequence = sequence
    self.index = index
    self.term = term
    self.stamp = stamp
    id = draft.id
    amountMinorUnits = draft.amountMinorUnits
    currency = draft.currency
    sender = draft.sender
    receiver = draft.receiver
    reference = draft.reference
  }
}

/// What is known here of a transaction id.
package enum TransactionState: Sendable {
  /// It took effect.
  case applied(PaymentRecord)
  /// The ledger rejected it, at that place of the log.
  case rejected(code: OutcomeCode, sequence: EventSequence)
  /// It was taken in here and its outcome is not known yet.
  case pending
  /// Nothing of it is in the log as far as this node has applied it.
  case unknown
}
