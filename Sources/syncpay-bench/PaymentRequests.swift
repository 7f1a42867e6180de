import Bytes
import Ledger
import NIOCore

/// The payments of one connection, as HTTP/1.1 requests of one length: only their digits differ, so
/// that making one costs next to nothing.
struct PaymentRequests {
  private static let accountDigitCount = 6

  private var random: SeededGenerator
  private let accounts: Int
  private let idHigh: UInt64
  private var text: [UInt8]
  private let amountStart, senderStart, receiverStart, idStart: Int

  /// Payments to `address`. Ids are distinct within a stream, and between streams of one
  /// millisecond whose numbers differ.
  init(
    to address: HTTPAddress, accounts: Int, seed: UInt64, stream: UInt16, unixMilliseconds: UInt64
  ) {
    precondition((2...999_999).contains(accounts))
    random = SeededGenerator(seed: seed &+ UInt64(stream) &* 0xD129_0D3B_5A2F_8E15)
    self.accounts = accounts
    idHigh = unixMilliseconds << 16 | UInt64(stream)
    let id = String(repeating: "0", count: 26)
    let pieces = [
      #"{"amount":"#, #"100.00,"sender":"account-"#, #"000000","receiver":"account-"#,
      #"000000","transaction_id":""#, #"txn_\#(id)"}"#,
    ]
    let byteCount = pieces.reduce(0) { $0 + $1.utf8.count }
    text = Array(
      """
      POST /payment HTTP/1.1\r
      Host: \(address)\r
      Content-Type: application/json\r
      Content-Length: \(byteCount)\r
      \r

      """.utf8)
    var starts: [Int] = []
    for piece in pieces {
      starts.append(text.count)
      text += Array(piece.utf8)
    }
    (amountStart, senderStart, receiverStart, idStart) = (
      starts[1], starts[2], starts[3], starts[4]
    )
  }

  /// Puts the next request into `buffer`, in place of what was there.
  mutating func next(into buffer: inout ByteBuffer) {
    let draw = random.next()
    let sender = Int(draw % UInt64(accounts))
    let receiver = (sender + 1 + Int(draw >> 32) % (accounts - 1)) % accounts
    // 100.00 to 999.99: always six characters.
    let cents = 10_000 + Int(draw >> 20 & 0xFFFF_FFFF) % 90_000
    write(cents / 100, digitCount: 3, at: amountStart)
    write(cents % 100, digitCount: 2, at: amountStart + 4)
    write(sender, digitCount: Self.accountDigitCount, at: senderStart)
    write(receiver, digitCount: Self.accountDigitCount, at: receiverStart)
    writeID(low: random.next())
    buffer.clear(minimumCapacity: text.count)
    buffer.writeBytes(text)
  }

  private mutating func write(_ value: Int, digitCount: Int, at start: Int) {
    var rest = value
    for place in (start..<start + digitCount).reversed() {
      text[place] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
      rest /= 10
    }
  }

  private mutating func writeID(low: UInt64) {
    var id: [UInt8] = []
    id.reserveCapacity(TransactionID.compactTextByteCount)
    TransactionID.appendText(high: idHigh, low: low, to: &id)
    for (offset, byte) in id.enumerated() { text[idStart + offset] = byte }
  }
}
