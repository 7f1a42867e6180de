/// Why bytes could not be read as what they should be. The offset is from the start of the span.
public enum DecodeError: Error, Hashable, Sendable {
  /// The bytes end before the field does.
  case truncated(offset: Int)
  /// A variable-length integer is longer than its value needs, or than 64 bits.
  case malformedVarint(offset: Int)
  /// A field holds a value that its type does not have; `field` is its name on the format page.
  case invalidField(_ field: String, offset: Int)
}

/// A cursor over bytes that came from a disk or a peer: every read is bounded, little-endian.
///
/// The bytes are passed to each call, so that the cursor needs no lifetime of its own. All calls
/// of one cursor must pass the same span; a shorter one traps, it never reads outside.
public struct ByteReader: Sendable {
  /// The next byte to read. Invariant: `offset <= end`.
  @usableFromInline var position: Int
  /// One past the last byte that may be read.
  public let end: Int

  /// A cursor over `range` of the span that later calls pass.
  @inlinable public init(_ range: Range<Int>) {
    position = range.lowerBound
    end = range.upperBound
  }

  /// A cursor over the whole of `bytes`.
  @inlinable public init(_ bytes: borrowing RawSpan) {
    position = 0
    end = bytes.byteCount
  }

  /// The next byte to read, from the start of the span.
  @inlinable public var offset: Int { position }

  /// How many bytes are left.
  @inlinable public var remaining: Int { end - position }

  /// Whether every byte has been read.
  @inlinable public var isAtEnd: Bool { position == end }

  /// Moves over `count` bytes and returns where they are.
  @inlinable @inline(__always) public mutating func skip(_ count: Int) throws(DecodeError) -> Range<
    Int
  > {
    guard count >= 0, count <= remaining else { throw .truncated(offset: position) }
    let start = position
    position += count
    return start..<position
  }

  /// Reads a fixed-width little-endian integer.
  @inlinable @inline(__always) public mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type, in bytes: borrowing RawSpan
  ) throws(DecodeError) -> T {
    let width = MemoryLayout<T>.size
    guard width <= remaining else { throw .truncated(offset: position) }
    let value = T(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position, as: T.self))
    position += width
    return value
  }

  /// Reads an unsigned LEB128 integer of at most 64 bits in its shortest form.
  @inlinable @inline(__always) public mutating func varint(
    in bytes: borrowing RawSpan
  ) throws(DecodeError) -> UInt64 {
    let start = position
    guard start < end else { throw .truncated(offset: start) }
    let first = bytes.unsafeLoad(fromByteOffset: start, as: UInt8.self)
    if first < 0x80 {
      position = start + 1
      return UInt64(first)
    }
    return try longVarint(first: first, in: bytes)
  }

  @inlinable @inline(__always) mutating func longVarint(
    first: UInt8, in bytes: borrowing RawSpan
  ) throws(DecodeError) -> UInt64 {
    let start = position
    var value = UInt64(first & 0x7f)
    var shift: UInt64 = 7
    var next = start + 1
    while true {
      guard next < end else { throw .truncated(offset: start) }
      let byte = bytes.unsafeLoad(fromByteOffset: next, as: UInt8.self)
      next += 1
      // The tenth byte has room for one bit; a last byte of zero is not the shortest form.
      if shift == 63 && byte > 1 { throw .malformedVarint(offset: start) }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 {
        guard byte != 0 else { throw .malformedVarint(offset: start) }
        position = next
        return value
      }
      shift += 7
      if shift > 63 { throw .malformedVarint(offset: start) }
    }
  }

  /// Reads a zigzag LEB128 integer: 0, −1, 1, −2, … as 0, 1, 2, 3, ….
  @inlinable @inline(__always) public mutating func signedVarint(
    in bytes: borrowing RawSpan
  ) throws(DecodeError) -> Int64 {
    let raw = try varint(in: bytes)
    return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
  }

  /// Reads `count` bytes into an array, after checking that they are there.
  @inlinable public mutating func array(
    _ count: Int, in bytes: borrowing RawSpan
  ) throws(DecodeError) -> [UInt8] {
    let range = try skip(count)
    return [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      for offset in 0..<count {
        target.initializeElement(
          at: offset,
          to: bytes.unsafeLoad(fromByteOffset: range.lowerBound + offset, as: UInt8.self))
      }
      initialized = count
    }
  }
}
