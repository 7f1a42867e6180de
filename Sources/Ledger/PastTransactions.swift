package import Bytes

/// An event of the log that was the first with its transaction id.
package struct PastTransaction: Hashable, Sendable {
  /// Its number.
  package let sequence: EventSequence
  /// Its payload in 64 bits, as the ledger compares it.
  let fingerprint: UInt64
}

/// Why nobody can say whether an id is in the log: a segment, or its index, is not what was written.
package struct PastProblem: Error, Hashable, Sendable {
  /// The first index of the segment; zero where none is to blame.
  package let segment: LogIndex

  /// A problem with a segment.
  package init(segment: LogIndex) { self.segment = segment }
}

/// Finds transactions that a ledger no longer holds itself, in the log that it was made from.
package protocol PastTransactions: AnyObject, Sendable {
  /// The last event up to which the log can be searched: what is after it, the ledger keeps.
  var searchableThrough: EventSequence { get }
  /// The first event with the id, if there is one up to `last`. Never "none" where it cannot be known.
  func find(
    _ id: TransactionID, through last: EventSequence
  ) throws(PastProblem) -> PastTransaction?
}

extension PastTransaction {
  /// The first payment with the id among a batch's records, the first of which is event `first`, up to
  /// event `last`.
  ///
  /// Errors: the records cannot be read.
  package static func first(
    _ id: TransactionID, in records: borrowing RawSpan, from first: EventSequence,
    through last: EventSequence
  ) throws(DecodeError) -> PastTransaction? {
    var cursor = RecordCursor(records)
    var sequence = first
    while sequence <= last, let record = try cursor.next(in: records) {
      if record.kind == .payment {
        let payment = try PaymentView(record.body, in: records)
        if payment.has(id, in: records) {
          return PastTransaction(
            sequence: sequence,
            fingerprint: Mixing.fingerprint(
              amount: payment.amountMinorUnits, currency: payment.currency, texts: payment.texts,
              in: records))
        }
      }
      sequence = sequence.next
    }
    return nil
  }
}

extension PaymentView {
  /// Whether the payment has this id.
  fileprivate func has(_ id: TransactionID, in records: borrowing RawSpan) -> Bool {
    switch id.form {
    case .compact(let high, let low): idText.isEmpty && idHigh == high && idLow == low
    case .text(let text):
      idText.count == text.count
        && records.extracting(idText).withUnsafeBytes { $0.elementsEqual(text) }
    }
  }
}
