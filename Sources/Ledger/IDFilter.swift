/// Which ids a ledger has let go of: 40 bits of each one's place, by extendible hashing.
///
/// An id that is not in here was not let go of; one in a hundred million times as many as there are
/// ids in here, one is that was not: then the log is asked.
///
/// A directory by the top bits of the place, at least 8 of them, points to pages of at most 4096
/// slots. A slot has the 32 bits that follow the first 8: enough to split a page, until the directory
/// has 2^``depthMax`` entries.
struct IDFilter: ~Copyable {
  /// Bits of the directory from the start.
  static let depthMin = 8
  /// Most bits of the directory; pages that cannot split then grow.
  static let depthMax = 28
  /// Slots of a page that splits when it is full; smaller ones double.
  static let pageSlotCount = 4096
  private static let pageSlotCountMin = 64

  private struct Page: BitwiseCopyable {
    /// Invariant: points to `mask + 1` initialized slots; zero: nobody is here.
    var slots: UnsafeMutablePointer<UInt32>
    var mask: UInt32
    var count: UInt32
    var depth: UInt32
  }

  private var directory: FlatStorage<UInt32>
  private var pages: FlatStorage<Page>
  private var depth: Int
  /// How many slots are taken.
  private(set) var count: UInt64 = 0

  init() {
    depth = Self.depthMin
    directory = FlatStorage(capacity: 1 << depth)
    pages = FlatStorage(capacity: 1 << depth)
    for place in 0..<1 << depth { directory.append(UInt32(place)) }
  }

  deinit {
    for index in 0..<pages.count { pages[index].slots.deallocate() }
  }

  /// Most bytes of memory that the filter holds, but for the allocator's own.
  var byteCount: Int {
    var total = directory.count * 4
    for index in 0..<pages.count { total += (Int(pages[index].mask) + 1) * 4 }
    return total
  }

  @inline(__always)
  private static func entry(_ place: UInt64) -> UInt32 {
    let bits = UInt32(truncatingIfNeeded: place >> 24)
    return bits == 0 ? 1 : bits
  }

  @inline(__always)
  private func page(_ place: UInt64) -> Page {
    pages[Int(directory[Int(place >> UInt64(64 - depth))])]
  }

  /// Reads where the place would be, so that it is in the cache when it is wanted.
  @inline(__always)
  func touch(_ place: UInt64) -> UInt64 {
    guard count > 0 else { return 0 }
    let page = page(place)
    return UInt64(page.slots[Int(Self.entry(place) & page.mask)])
  }

  /// Whether an id with this place may have been let go of.
  @inline(__always)
  func contains(_ place: UInt64) -> Bool {
    guard count > 0 else { return false }
    let page = page(place)
    let entry = Self.entry(place)
    let found = page.slots[Int(Self.slot(entry, in: page))]
    return found == entry
  }

  /// Where an entry is, or would be put.
  @inline(__always)
  private static func slot(_ entry: UInt32, in page: Page) -> UInt32 {
    var slot = entry & page.mask
    while page.slots[Int(slot)] != 0, page.slots[Int(slot)] != entry {
      slot = (slot &+ 1) & page.mask
    }
    return slot
  }

  mutating func insert(_ place: UInt64) {
    if pages.count == 0 { addPages() }
    let index = Int(directory[Int(place >> UInt64(64 - depth))])
    let entry = Self.entry(place)
    let slot = Int(Self.slot(entry, in: pages[index]))
    guard pages[index].slots[slot] == 0 else { return }
    pages[index].slots[slot] = entry
    pages[index].count += 1
    count += 1
    // Seven eighths full: there is always an empty slot to stop at.
    if UInt64(pages[index].count) * 8 >= (UInt64(pages[index].mask) + 1) * 7 {
      grow(index, at: place)
    }
  }

  private mutating func addPages() {
    for _ in 0..<directory.count {
      pages.append(Self.page(Self.pageSlotCountMin, depth: UInt32(Self.depthMin)))
    }
  }

  private static func page(_ slotCount: Int, depth: UInt32) -> Page {
    let slots = UnsafeMutablePointer<UInt32>.allocate(capacity: slotCount)
    slots.initialize(repeating: 0, count: slotCount)
    return Page(slots: slots, mask: UInt32(slotCount - 1), count: 0, depth: depth)
  }

  private static func put(_ entry: UInt32, into page: inout Page) {
    page.slots[Int(slot(entry, in: page))] = entry
    page.count += 1
  }

  private mutating func grow(_ index: Int, at place: UInt64) {
    let old = pages[index]
    let slotCount = Int(old.mask) + 1
    defer { old.slots.deallocate() }
    guard slotCount >= Self.pageSlotCount, Int(old.depth) < Self.depthMax else {
      var larger = Self.page(slotCount * 2, depth: old.depth)
      for slot in 0..<slotCount where old.slots[slot] != 0 {
        Self.put(old.slots[slot], into: &larger)
      }
      pages[index] = larger
      return
    }
    if Int(old.depth) == depth { doubleDirectory() }
    var low = Self.page(slotCount, depth: old.depth + 1)
    var high = Self.page(slotCount, depth: old.depth + 1)
    let bit = UInt32(31 + Self.depthMin) - old.depth
    for slot in 0..<slotCount where old.slots[slot] != 0 {
      if old.slots[slot] >> bit & 1 == 0 {
        Self.put(old.slots[slot], into: &low)
      } else {
        Self.put(old.slots[slot], into: &high)
      }
    }
    let highIndex = UInt32(pages.count)
    pages[index] = low
    pages.append(high)
    // The directory's entries of the old page are a run; its upper half goes to the new one.
    let half = 1 << (depth - Int(low.depth))
    let run = Int(place >> UInt64(64 - old.depth)) * half * 2
    for entry in run + half..<run + 2 * half { directory[entry] = highIndex }
  }

  private mutating func doubleDirectory() {
    var doubled = FlatStorage<UInt32>(capacity: directory.count * 2)
    for index in 0..<directory.count {
      doubled.append(directory[index])
      doubled.append(directory[index])
    }
    directory = doubled
    depth += 1
  }

  /// Calls `body` with a place that has the bits of each entry, those of one page together.
  borrowing func forEach<E: Error>(_ body: (UInt64) throws(E) -> Void) throws(E) {
    guard count > 0 else { return }
    var index = 0
    while index < directory.count {
      let page = pages[Int(directory[index])]
      let top = UInt64(index >> (depth - Self.depthMin)) << 56
      for slot in 0...Int(page.mask) where page.slots[slot] != 0 {
        try body(top | UInt64(page.slots[slot]) << 24)
      }
      index += 1 << (depth - Int(page.depth))
    }
  }
}

// The pages are reached through this one owner alone, as in FlatStorage.
extension IDFilter: @unchecked Sendable {}
