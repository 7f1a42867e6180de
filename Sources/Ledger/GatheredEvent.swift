/// One decoded event on its way through the ledger, with all that can be known of it beforehand.
struct GatheredEvent: BitwiseCopyable {
  /// A range of the records; the standard library's is not bitwise copyable.
  struct Place: BitwiseCopyable {
    var start, end: Int

    @inline(__always) init(_ range: Range<Int>) {
      start = range.lowerBound
      end = range.upperBound
    }

    @inline(__always) var range: Range<Int> { start..<end }
  }

  var isPayment: Bool
  var key: TransactionKey
  /// Where the transaction table looks for the key.
  var place: UInt64
  var fingerprint: UInt64
  /// Minor units.
  var amount: Int64
  var currency: Currency
  /// Where the account table looks for the two accounts.
  var senderHash, receiverHash: UInt32
  /// Where the names lie in the records.
  var sender, receiver: Place
  /// Where a text id lies in the records; empty for a compact one.
  var id = Place(0..<0)
  /// 1 + where the log's answer is, for an id that was let go of; 0: there is none.
  var answer: Int32 = 0

  /// An event without money in it.
  static let noted = GatheredEvent(
    isPayment: false, key: TransactionKey(high: 0, low: 0, isText: false), place: 0,
    fingerprint: 0, amount: 0, currency: .usd, senderHash: 0, receiverHash: 0,
    sender: Place(0..<0), receiver: Place(0..<0))
}
