import Ledger

/// One line of a table that is written as it comes: cells of fixed least width, no `String` on the
/// way.
struct TextLine {
  private(set) var bytes: [UInt8] = []

  mutating func removeAll(keepingCapacity: Bool) {
    bytes.removeAll(keepingCapacity: keepingCapacity)
  }

  mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  /// Appends a time with microseconds, and a gap.
  mutating func time(_ nanoseconds: Int64) {
    TimeText.append(nanoseconds: nanoseconds, decimals: 6, to: &bytes)
    spaces(2)
  }

  /// Appends what `fill` writes, filled up to `width` characters, and a gap.
  mutating func cell(
    width: Int, alignsRight: Bool = false, gap: Int = 2, _ fill: (inout [UInt8]) -> Void
  ) {
    let start = bytes.count
    fill(&bytes)
    // One character to a scalar: every byte but the continuations (RFC 3629).
    let count = bytes[start...].count { $0 & 0xc0 != 0x80 }
    let missing = max(0, width - count)
    if alignsRight {
      bytes.insert(contentsOf: repeatElement(UInt8(ascii: " "), count: missing), at: start)
      spaces(gap)
    } else {
      spaces(missing + gap)
    }
  }

  private mutating func spaces(_ count: Int) {
    bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: count))
  }
}

extension PaymentView {
  /// Appends the transaction id's text.
  func appendID(_ records: borrowing RawSpan, to text: inout [UInt8]) {
    if idText.isEmpty {
      TransactionID.appendText(high: idHigh, low: idLow, to: &text)
    } else {
      records.extracting(idText).withUnsafeBytes { text.append(contentsOf: $0) }
    }
  }
}

extension Currency {
  /// Appends the code's three letters.
  func appendCode(to text: inout [UInt8]) {
    text.append(letters.0)
    text.append(letters.1)
    text.append(letters.2)
  }
}
