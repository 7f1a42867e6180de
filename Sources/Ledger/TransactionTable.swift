import Bytes

/// A transaction id as a table key: 128 bits and the domain they are from.
struct TransactionKey: Equatable, BitwiseCopyable {
  var high: UInt64
  var low: UInt64
  /// Whether the bits are a truncated SHA-256 of a text id, and not a compact id itself.
  var isText: Bool

  @inline(__always)
  init(_ view: borrowing PaymentView, in bytes: borrowing RawSpan) {
    if view.idText.isEmpty {
      self.init(high: view.idHigh, low: view.idLow, isText: false)
    } else {
      self.init(text: bytes.extracting(view.idText))
    }
  }

  init(_ id: TransactionID) {
    switch id.form {
    case .compact(let high, let low): self.init(high: high, low: low, isText: false)
    case .text(let text): self.init(text: text.span.bytes)
    }
  }

  @inline(__always)
  init(high: UInt64, low: UInt64, isText: Bool) {
    self.high = high
    self.low = low
    self.isText = isText
  }

  private init(text: borrowing RawSpan) {
    let digest = Digest256Hasher.digest(text)
    (high, low) = digest.withBytes {
      (
        UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
        UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
    isText = true
  }

  /// Where to look, under a table's own seed.
  @inline(__always)
  func place(seed: UInt64) -> UInt64 {
    let domain: UInt64 = isText ? Mixing.multiplier2 : 0
    let first = Mixing.fold(high ^ seed, Mixing.multiplier1 ^ domain) &+ high
    return Mixing.fold(first ^ low, Mixing.multiplier0 ^ seed) &+ low &* Mixing.multiplier1
  }
}

/// What the ledger keeps of a transaction id: 32 bytes, so that two share a cache line.
struct TransactionEntry: BitwiseCopyable {
  var keyHigh: UInt64
  var keyLow: UInt64
  /// Payload in 64 bits, ``Mixing/fingerprint(amount:currency:texts:in:)``.
  var fingerprint: UInt64
  /// Sequence in bits 63–9, domain in bit 8, outcome code in bits 7–0. Zero: nobody is here.
  var packed: UInt64

  static var empty: TransactionEntry {
    TransactionEntry(keyHigh: 0, keyLow: 0, fingerprint: 0, packed: 0)
  }

  @inline(__always)
  init(key: TransactionKey, fingerprint: UInt64, sequence: EventSequence, code: OutcomeCode) {
    keyHigh = key.high
    keyLow = key.low
    self.fingerprint = fingerprint
    packed = sequence.rawValue << 9 | (key.isText ? 0x100 : 0) | UInt64(code.rawValue)
  }

  @inline(__always)
  init(keyHigh: UInt64, keyLow: UInt64, fingerprint: UInt64, packed: UInt64) {
    self.keyHigh = keyHigh
    self.keyLow = keyLow
    self.fingerprint = fingerprint
    self.packed = packed
  }

  @inline(__always) var isEmpty: Bool { packed == 0 }
  @inline(__always) var sequence: EventSequence { EventSequence(packed >> 9) }
  @inline(__always) var codeNumber: UInt8 { UInt8(truncatingIfNeeded: packed) }

  @inline(__always) var key: TransactionKey {
    TransactionKey(high: keyHigh, low: keyLow, isText: packed & 0x100 != 0)
  }

  /// The code it was made with.
  var code: OutcomeCode {
    guard let code = OutcomeCode(rawValue: codeNumber) else {
      preconditionFailure("an entry holds a code that is none")
    }
    return code
  }
}

/// All transaction ids, by extendible hashing (Fagin et al., TODS 1979).
///
/// A directory, indexed by the top bits of an id's place, points to segments of at most 4096
/// entries with linear probing inside. A full segment splits in two, and the directory doubles
/// when it must; so growth never costs more than one segment's work at a time (tens of
/// microseconds), whatever the table holds. Places depend on the table's seed; answers do not.
///
/// HAZARD: whoever knows the seed can choose ids that crowd one segment. Past
/// ``directoryDepthMax`` it then grows instead of splitting: slower, never wrong. Give a node's
/// ledger a random seed.
struct TransactionTable: ~Copyable {
  /// Entries of a segment that splits when it is full; smaller ones double.
  static let segmentCapacity = 4096
  /// Entries of the first segment.
  static let segmentCapacityInitial = 64
  /// Most bits of the directory: 2^24 segments are about 40 thousand million ids.
  static let directoryDepthMax = 24

  struct Segment: BitwiseCopyable {
    /// Invariant: points to `mask + 1` initialized entries.
    var entries: UnsafeMutablePointer<TransactionEntry>
    var mask: UInt32
    var count: UInt32
    /// How many top bits of the place all its entries share.
    var depth: UInt32
    /// Whether the entries belong to a slab, and not to the segment alone.
    var isInSlab: Bool
  }

  var directory: FlatStorage<UInt32>
  var segments: FlatStorage<Segment>
  var slabs: SegmentSlabs
  /// Holds a segment's entries while it is split in place.
  private let spare: UnsafeMutablePointer<TransactionEntry>
  /// Bits of the directory. Invariant: `directory.count == 1 << depth`.
  var depth = 0
  let seed: UInt64
  /// How many ids are in the table.
  var count = 0
  /// How far loading from a snapshot has come; nil for a table that is in use.
  var loading: TableLoading?

  /// A table without segments, for the pages of a snapshot.
  init(loadingWithSeed seed: UInt64) {
    self.seed = seed
    directory = FlatStorage(repeating: 0, count: 1)
    segments = FlatStorage(capacity: 16)
    slabs = SegmentSlabs()
    spare = Self.allocate(Self.segmentCapacity)
    loading = TableLoading()
  }

  init(seed: UInt64) {
    self.seed = seed
    directory = FlatStorage(repeating: 0, count: 1)
    segments = FlatStorage(capacity: 16)
    slabs = SegmentSlabs()
    spare = Self.allocate(Self.segmentCapacity)
    segments.append(
      Segment(
        entries: Self.allocate(Self.segmentCapacityInitial),
        mask: UInt32(Self.segmentCapacityInitial - 1), count: 0, depth: 0, isInSlab: false))
  }

  deinit {
    for index in 0..<segments.count where !segments[index].isInSlab {
      segments[index].entries.deallocate()
    }
    spare.deallocate()
  }

  static func allocate(_ capacity: Int) -> UnsafeMutablePointer<TransactionEntry> {
    let entries = UnsafeMutablePointer<TransactionEntry>.allocate(capacity: capacity)
    entries.initialize(repeating: .empty, count: capacity)
    return entries
  }

  /// The directory's place for `place`: its top `depth` bits. A shift by 64 gives zero.
  @inline(__always)
  private func directoryIndex(_ place: UInt64) -> Int {
    Int(truncatingIfNeeded: place >> UInt64(64 - depth))
  }

  /// The entry with `key`, or an empty one where there is none.
  @inline(__always)
  func find(_ key: TransactionKey) -> TransactionEntry {
    locate(key, at: place(key)).entry
  }

  /// Where to look for a key.
  @inline(__always)
  func place(_ key: TransactionKey) -> UInt64 { key.place(seed: seed) }

  /// Reads a word of the entry at `place`, so that it is in the cache when it is wanted: the
  /// misses of a group of events then overlap instead of following one another.
  @inline(__always)
  func touch(_ place: UInt64) -> UInt64 {
    let segment = segments[Int(directory[directoryIndex(place)])]
    let slot = Self.firstSlot(place, in: segment)
    // Two entries share a line, and probing mostly ends within two lines.
    return segment.entries[Int(slot)].packed
      &+ segment.entries[Int((slot + 2) & segment.mask)].packed
  }

  /// Where a key is, or would be put. Good until the next insertion.
  struct Location {
    /// The entry there, empty where the key is new.
    let entry: TransactionEntry
    fileprivate let place: UInt64
    fileprivate let segment: Int
    fileprivate let slot: Int
  }

  /// Where `key` is, or would be put; `place` is its ``place(_:)``.
  @inline(__always)
  func locate(_ key: TransactionKey, at place: UInt64) -> Location {
    let index = Int(directory[directoryIndex(place)])
    let segment = segments[index]
    let slot = Int(Self.slot(key, place, in: segment))
    return Location(entry: segment.entries[slot], place: place, segment: index, slot: slot)
  }

  /// Puts in the entry of a new key at the place that ``locate(_:at:)`` just gave.
  @inline(__always)
  mutating func insert(_ entry: TransactionEntry, at location: Location) {
    let segment = segments[location.segment]
    assert(!entry.isEmpty && segment.entries[location.slot].isEmpty)
    segment.entries[location.slot] = entry
    segments[location.segment].count = segment.count + 1
    count += 1
    // Three quarters full: grow now, so that there is always an empty slot to stop at.
    if UInt64(segment.count + 1) * 4 >= (UInt64(segment.mask) + 1) * 3 {
      grow(location.segment, at: location.place)
    }
  }

  /// Where probing begins: at an even slot, so that the first two share a cache line.
  @inline(__always)
  private static func firstSlot(_ place: UInt64, in segment: Segment) -> UInt32 {
    UInt32(truncatingIfNeeded: place) & segment.mask & ~1
  }

  @inline(__always)
  private static func slot(_ key: TransactionKey, _ place: UInt64, in segment: Segment) -> UInt32 {
    var slot = firstSlot(place, in: segment)
    while true {
      let entry = segment.entries[Int(slot)]
      if entry.isEmpty { return slot }
      if entry.keyLow == key.low && entry.keyHigh == key.high && entry.key.isText == key.isText {
        return slot
      }
      slot = (slot &+ 1) & segment.mask
    }
  }

  private mutating func grow(_ index: Int, at place: UInt64) {
    let old = segments[index]
    let capacity = Int(old.mask) + 1
    if capacity == Self.segmentCapacity && old.depth < UInt32(Self.directoryDepthMax) {
      return split(index, at: place)
    }
    let isSplittable = capacity * 2 == Self.segmentCapacity
    var larger = Segment(
      entries: isSplittable ? slabs.take() : Self.allocate(capacity * 2),
      mask: UInt32(capacity * 2 - 1), count: 0, depth: old.depth, isInSlab: isSplittable)
    for slot in 0..<capacity where !old.entries[slot].isEmpty {
      insert(old.entries[slot], into: &larger)
    }
    segments[index] = larger
    if !old.isInSlab { old.entries.deallocate() }
  }

  private mutating func split(_ index: Int, at place: UInt64) {
    var low = segments[index]
    if Int(low.depth) == depth { doubleDirectory() }
    spare.update(from: low.entries, count: Self.segmentCapacity)
    low.entries.update(repeating: .empty, count: Self.segmentCapacity)
    low.count = 0
    low.depth += 1
    var high = low
    high.entries = slabs.take()
    let sideShift = UInt64(64 - low.depth)
    for slot in 0..<Self.segmentCapacity where !spare[slot].isEmpty {
      if self.place(spare[slot].key) >> sideShift & 1 == 0 {
        insert(spare[slot], into: &low)
      } else {
        insert(spare[slot], into: &high)
      }
    }
    let highIndex = UInt32(segments.count)
    segments[index] = low
    segments.append(high)
    // The directory entries of the old segment are a run; its upper half moves to the new one.
    let half = 1 << (depth - Int(low.depth))
    let run = Int(truncatingIfNeeded: place >> (sideShift + 1)) * half * 2
    for entry in run + half..<run + 2 * half { directory[entry] = highIndex }
  }

  private func insert(_ entry: TransactionEntry, into segment: inout Segment) {
    let slot = Self.slot(entry.key, place(entry.key), in: segment)
    segment.entries[Int(slot)] = entry
    segment.count += 1
  }

  private mutating func doubleDirectory() {
    var doubled = FlatStorage<UInt32>(repeating: 0, count: directory.count * 2)
    for index in 0..<directory.count {
      doubled[index * 2] = directory[index]
      doubled[index * 2 + 1] = directory[index]
    }
    directory = doubled
    depth += 1
  }
}

// The entries are reached through this one owner alone, as in FlatStorage.
extension TransactionTable: @unchecked Sendable {}
