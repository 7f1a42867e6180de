extension Collection where Element == UInt8 {
  /// Standard base 64 with padding (RFC 4648 §4).
  public var base64: String {
    var text: [UInt8] = []
    text.reserveCapacity((count + 2) / 3 * 4)
    var group: UInt32 = 0
    var held = 0
    for byte in self {
      group = group << 8 | UInt32(byte)
      held += 1
      if held == 3 {
        appendDigits(of: group, count: 4, to: &text)
        (group, held) = (0, 0)
      }
    }
    if held > 0 {
      appendDigits(of: group << UInt32(8 * (3 - held)), count: held + 1, to: &text)
      text.append(contentsOf: repeatElement(UInt8(ascii: "="), count: 3 - held))
    }
    return String(decoding: text, as: UTF8.self)
  }

  private func appendDigits(of group: UInt32, count: Int, to text: inout [UInt8]) {
    for place in 0..<count {
      text.append(base64Digit(UInt8(truncatingIfNeeded: group >> UInt32(18 - 6 * place)) & 63))
    }
  }
}

extension Array where Element == UInt8 {
  /// Bytes from standard base 64, or nil where the text is anything else: padding is demanded, and
  /// unused bits must be zero, so that no bytes have two texts (RFC 4648 §3.5).
  public init?(base64 text: String) {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 4) else { return nil }
    self = []
    reserveCapacity(digits.count / 4 * 3)
    for start in stride(from: 0, to: digits.count, by: 4) {
      let isLast = start + 4 == digits.count
      let padding = isLast ? digits[start..<start + 4].reversed().prefix { $0 == 0x3d }.count : 0
      guard padding <= 2 else { return nil }
      var group: UInt32 = 0
      for digit in digits[start..<start + 4 - padding] {
        guard let value = base64Value(digit) else { return nil }
        group = group << 6 | UInt32(value)
      }
      group <<= UInt32(6 * padding)
      guard group & (1 << UInt32(8 * padding) - 1) == 0 else { return nil }
      for place in 0..<3 - padding {
        append(UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * place)))
      }
    }
  }
}

private func base64Digit(_ value: UInt8) -> UInt8 {
  switch value {
  case 0..<26: UInt8(ascii: "A") + value
  case 26..<52: UInt8(ascii: "a") + (value - 26)
  case 52..<62: UInt8(ascii: "0") + (value - 52)
  case 62: UInt8(ascii: "+")
  default: UInt8(ascii: "/")
  }
}

private func base64Value(_ digit: UInt8) -> UInt8? {
  switch digit {
  case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
  case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
  case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
  case UInt8(ascii: "+"): 62
  case UInt8(ascii: "/"): 63
  default: nil
  }
}
