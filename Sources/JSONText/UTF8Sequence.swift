/// The length of the well-formed UTF-8 sequence at `offset` (RFC 3629 §4), or 0 where there is none.
///
/// Precondition: `offset < end`, and `end` is within `bytes`.
@inline(__always)
func utf8SequenceLength(at offset: Int, end: Int, in bytes: borrowing RawSpan) -> Int {
  let first = bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  if first < 0x80 { return 1 }
  let length: Int
  // The second byte's range rules out overlong forms, surrogates and what is past U+10FFFF.
  let second: ClosedRange<UInt8>
  switch first {
  case 0xc2...0xdf: (length, second) = (2, 0x80...0xbf)
  case 0xe0: (length, second) = (3, 0xa0...0xbf)
  case 0xed: (length, second) = (3, 0x80...0x9f)
  case 0xe1...0xef: (length, second) = (3, 0x80...0xbf)
  case 0xf0: (length, second) = (4, 0x90...0xbf)
  case 0xf1...0xf3: (length, second) = (4, 0x80...0xbf)
  case 0xf4: (length, second) = (4, 0x80...0x8f)
  default: return 0
  }
  guard length <= end - offset,
    second.contains(bytes.unsafeLoad(fromByteOffset: offset + 1, as: UInt8.self))
  else { return 0 }
  for next in 2..<max(length, 2) {
    guard bytes.unsafeLoad(fromByteOffset: offset + next, as: UInt8.self) & 0xc0 == 0x80 else {
      return 0
    }
  }
  return length
}

/// The value of a hexadecimal digit of either case, or nil.
func hexadecimalDigit(_ byte: UInt8) -> UInt32? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
  case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
  case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
  default: nil
  }
}
