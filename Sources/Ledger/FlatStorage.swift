#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A growable run of plain values, owned by exactly one place.
///
/// Why not an array: an array checks on every write whether it is shared, and growing one copies.
/// This grows by `realloc`, which for large blocks moves pages and not bytes. Every access is
/// bounds-checked.
struct FlatStorage<Element: BitwiseCopyable>: ~Copyable {
  private var base: UnsafeMutablePointer<Element>
  private var capacity: Int
  /// How many elements are in use. Invariant: `0 <= count <= capacity`.
  private(set) var count: Int

  /// An empty run with room for `capacity` elements.
  init(capacity: Int = 16) {
    self.capacity = max(capacity, 1)
    count = 0
    base = Self.allocate(nil, self.capacity)
  }

  /// A run of `count` elements, all of them `value`.
  init(repeating value: Element, count: Int) {
    self.init(capacity: count)
    base.initialize(repeating: value, count: count)
    self.count = count
  }

  deinit { free(base) }

  private static func allocate(
    _ old: UnsafeMutablePointer<Element>?, _ capacity: Int
  ) -> UnsafeMutablePointer<Element> {
    // malloc aligns to 16 bytes, enough for 128-bit integers.
    precondition(MemoryLayout<Element>.alignment <= 16)
    let (byteCount, isTooLarge) = capacity.multipliedReportingOverflow(
      by: MemoryLayout<Element>.stride)
    guard !isTooLarge, let raw = realloc(old, byteCount) else {
      preconditionFailure("out of memory")
    }
    return raw.bindMemory(to: Element.self, capacity: capacity)
  }

  @inline(__always)
  subscript(_ index: Int) -> Element {
    get {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
      return base[index]
    }
    _modify {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
      yield &base[index]
    }
  }

  @inline(__always)
  mutating func append(_ element: Element) {
    if count == capacity { grow(toHold: count + 1) }
    base[count] = element
    count += 1
  }

  /// Makes room for at least `count` elements.
  mutating func grow(toHold needed: Int) {
    guard needed > capacity else { return }
    capacity = max(needed, capacity * 2)
    base = Self.allocate(base, capacity)
  }

  /// Forgets all elements and keeps the room.
  @inline(__always)
  mutating func removeAll() { count = 0 }

  /// The elements in use. Good until the next change, and as long as the owner lives.
  @inline(__always)
  var elements: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: count) }

  /// Calls `body` with the elements in use.
  @inline(__always)
  func withElements<R>(_ body: (UnsafeBufferPointer<Element>) -> R) -> R {
    body(UnsafeBufferPointer(start: base, count: count))
  }
}

extension FlatStorage where Element == UInt8 {
  /// Appends what `fill` writes into room for `countMax` bytes; it returns how many it wrote.
  @inline(__always)
  mutating func append(_ countMax: Int, _ fill: (UnsafeMutableRawPointer) -> Int) {
    grow(toHold: count + countMax)
    let written = fill(UnsafeMutableRawPointer(base + count))
    precondition(written >= 0 && written <= countMax)
    count += written
  }

  /// Appends `range` of `bytes`.
  mutating func append(_ range: Range<Int>, of bytes: borrowing RawSpan) {
    grow(toHold: count + range.count)
    bytes.extracting(range).withUnsafeBytes { source in
      guard let start = source.baseAddress else { return }
      memcpy(base + count, start, source.count)
    }
    count += range.count
  }

  /// The bytes of `range` as an array.
  func array(_ range: Range<Int>) -> [UInt8] {
    withElements { Array($0[range]) }
  }

  /// Whether the bytes from `start` equal `range` of `bytes`.
  @inline(__always)
  func equals(_ start: Int, _ range: Range<Int>, of bytes: borrowing RawSpan) -> Bool {
    precondition(start >= 0 && start + range.count <= count)
    let raw = UnsafeRawPointer(base + start)
    var offset = 0
    while offset + 8 <= range.count {
      let left = raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      let right = bytes.unsafeLoadUnaligned(
        fromByteOffset: range.lowerBound + offset, as: UInt64.self)
      if left != right { return false }
      offset += 8
    }
    while offset < range.count {
      let left = raw.load(fromByteOffset: offset, as: UInt8.self)
      if left != bytes.unsafeLoad(fromByteOffset: range.lowerBound + offset, as: UInt8.self) {
        return false
      }
      offset += 1
    }
    return true
  }
}

// Only one owner can exist, the memory is reached through that owner alone, and the elements are
// plain values: handing the owner to another thread hands over everything.
extension FlatStorage: @unchecked Sendable where Element: Sendable {}
