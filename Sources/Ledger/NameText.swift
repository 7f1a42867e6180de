/// Why text cannot be a name or a reference.
public enum NameProblem: Error, Hashable, Sendable {
  /// Nothing is left after trimming.
  case empty
  /// More Unicode scalars than allowed.
  case tooLong
  /// Not UTF-8 (Unicode 16, table 3-7).
  case notUTF8
  /// A control character, line separator, or an invisible format control.
  case forbiddenScalar(UInt32)
}

/// What text may stand in names and references.
///
/// Text is kept byte for byte as given, after trimming: there is no Unicode normalization, so é as
/// one scalar and é as two are two names. The sets of scalars are written out here and not asked
/// of the standard library, so that an answer does not change with the toolchain.
public enum NameText {
  /// Most Unicode scalars in an account name.
  public static let nameScalarCountMax = 100
  /// Most UTF-8 bytes in an account name: four a scalar.
  public static let nameByteCountMax = nameScalarCountMax * 4
  /// Most Unicode scalars in a reference.
  public static let referenceScalarCountMax = 200
  /// Most UTF-8 bytes in a reference: four a scalar.
  public static let referenceByteCountMax = referenceScalarCountMax * 4

  /// An account name: `bytes` without White_Space at both ends, 1–100 scalars, nothing forbidden.
  public static func accountName(_ bytes: [UInt8]) throws(NameProblem) -> [UInt8] {
    let range = try trimmedRange(bytes.span.bytes)
    guard !range.isEmpty else { throw .empty }
    try check(range, in: bytes.span.bytes, scalarCountMax: nameScalarCountMax)
    return range.count == bytes.count ? bytes : Array(bytes[range])
  }

  /// A reference as given, at most 200 scalars, nothing forbidden; nil where it is empty.
  public static func reference(_ bytes: [UInt8]) throws(NameProblem) -> [UInt8]? {
    guard !bytes.isEmpty else { return nil }
    try check(
      0..<bytes.count, in: bytes.span.bytes, scalarCountMax: referenceScalarCountMax)
    return bytes
  }

  /// The bytes between the first and the last scalar that is not White_Space.
  private static func trimmedRange(
    _ bytes: borrowing RawSpan
  ) throws(NameProblem) -> Range<Int> {
    var offset = 0
    var start = 0
    var end = 0
    while offset < bytes.byteCount {
      guard let (scalar, length) = scalar(at: offset, end: bytes.byteCount, in: bytes) else {
        throw .notUTF8
      }
      if !isWhiteSpace(scalar) {
        if end == 0 { start = offset }
        end = offset + length
      }
      offset += length
    }
    return start..<end
  }

  private static func check(
    _ range: Range<Int>, in bytes: borrowing RawSpan, scalarCountMax: Int
  ) throws(NameProblem) {
    var offset = range.lowerBound
    var scalarCount = 0
    while offset < range.upperBound {
      guard let (scalar, length) = scalar(at: offset, end: range.upperBound, in: bytes) else {
        throw .notUTF8
      }
      guard !isForbidden(scalar) else { throw .forbiddenScalar(scalar) }
      scalarCount += 1
      guard scalarCount <= scalarCountMax else { throw .tooLong }
      offset += length
    }
  }

  /// Whether stored bytes can be a name: UTF-8 without ASCII controls, not too many scalars.
  ///
  /// This is what decoding asks. It is weaker than what the ingress asks on purpose: a later
  /// version may allow or forbid other scalars and must still read this log, and be read.
  static func isStorable(
    _ range: Range<Int>, in bytes: borrowing RawSpan, scalarCountMax: Int
  ) -> Bool {
    var offset = range.lowerBound
    let end = range.upperBound
    while offset + 8 <= end, isPlain(at: offset, in: bytes) { offset += 8 }
    // What is left of a long enough name is looked at together with the bytes before it.
    if offset + 8 > end, range.count >= 8, isPlain(at: end - 8, in: bytes) { offset = end }
    var scalarCount = offset - range.lowerBound
    while offset < end {
      guard let (scalar, length) = scalar(at: offset, end: end, in: bytes),
        scalar >= 0x20, scalar != 0x7f
      else { return false }
      scalarCount += 1
      offset += length
    }
    return scalarCount <= scalarCountMax
  }

  /// Whether eight bytes are ASCII without controls: no high bit, none below 0x20, none 0x7F.
  @inline(__always)
  private static func isPlain(at offset: Int, in bytes: borrowing RawSpan) -> Bool {
    let word = bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    let belowSpace = (word &- 0x2020_2020_2020_2020) & ~word
    let notDelete = word ^ 0x7f7f_7f7f_7f7f_7f7f
    let isDelete = (notDelete &- 0x0101_0101_0101_0101) & ~notDelete
    return (word | belowSpace | isDelete) & 0x8080_8080_8080_8080 == 0
  }

  /// The scalar at `offset` and its length, or nil where the bytes are not UTF-8: surrogates,
  /// overlong forms and values past U+10FFFF are not (Unicode 16, table 3-7).
  @inline(__always)
  static func scalar(
    at offset: Int, end: Int, in bytes: borrowing RawSpan
  ) -> (UInt32, Int)? {
    let first = bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    return first < 0x80 ? (UInt32(first), 1) : longScalar(first, at: offset, end: end, in: bytes)
  }

  private static func longScalar(
    _ first: UInt8, at offset: Int, end: Int, in bytes: borrowing RawSpan
  ) -> (UInt32, Int)? {
    let length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    guard first >= 0xc2, first <= 0xf4, offset + length <= end else { return nil }
    var value = UInt32(first) & (0x7f >> UInt32(length))
    for index in 1..<length {
      let byte = bytes.unsafeLoad(fromByteOffset: offset + index, as: UInt8.self)
      guard byte & 0xc0 == 0x80 else { return nil }
      value = value << 6 | UInt32(byte & 0x3f)
    }
    let isShortest = length == 2 || (length == 3 ? value >= 0x800 : value >= 0x10000)
    guard isShortest, value <= 0x10ffff, !(0xd800...0xdfff ~= value) else { return nil }
    return (value, length)
  }

  /// White_Space (Unicode 16, PropList).
  static func isWhiteSpace(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x09...0x0d, 0x20, 0x85, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f,
      0x3000:
      true
    default: false
    }
  }

  /// Control characters (Cc), line and paragraph separators, and the format controls (Cf) that
  /// are invisible or turn text round: a name must not look like another one.
  ///
  /// The zero-width joiner and the tag characters are among them, so emoji built from several
  /// people or of subdivision flags are refused; single emoji and their variants are not.
  static func isForbidden(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x00...0x1f, 0x7f...0x9f, 0x2028, 0x2029: true
    case 0xad, 0x61c, 0x180e, 0x200b...0x200f, 0x202a...0x202e, 0x2060...0x206f, 0xfeff,
      0xfff9...0xfffb, 0x1d173...0x1d17a, 0xe0001, 0xe0020...0xe007f:
      true
    default: false
    }
  }
}
