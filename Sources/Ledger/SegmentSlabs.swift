#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Memory for the transaction table's full-size segments, in slabs of one large page each.
///
/// The table is read at random, so with small pages most reads also miss the page tables' cache.
struct SegmentSlabs: ~Copyable {
  /// One large page of x86-64 and AArch64: 16 segments of 4096 entries of 32 bytes.
  private static let slabByteCount = 2 << 20
  private static let entryCount =
    slabByteCount / MemoryLayout<TransactionEntry>.stride

  private var slabs = FlatStorage<UnsafeMutablePointer<TransactionEntry>>(capacity: 4)
  /// Entries of the last slab that are given out.
  private var usedCount = entryCount

  deinit {
    for index in 0..<slabs.count { munmap(slabs[index], Self.slabByteCount) }
  }

  /// Room for one segment, all empty. It lives as long as the slabs do.
  mutating func take() -> UnsafeMutablePointer<TransactionEntry> {
    if usedCount + TransactionTable.segmentCapacity > Self.entryCount { addSlab() }
    let entries = slabs[slabs.count - 1] + usedCount
    usedCount += TransactionTable.segmentCapacity
    entries.initialize(repeating: .empty, count: TransactionTable.segmentCapacity)
    return entries
  }

  /// A slab of the system's own: one that is let go of goes back to it at once. From the allocator's heap,
  /// which keeps what is freed, the tables of fifty million ids left two gigabytes of holes. Memory, and
  /// no file: those begin with an open.
  private static func map() -> UnsafeMutableRawPointer {
    let mapped = mmap(
      nil, 2 * slabByteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapped, mapped != MAP_FAILED else { preconditionFailure("out of memory") }
    // Twice as much has a large page in it; what is around that goes back.
    let before = (slabByteCount - Int(bitPattern: mapped) % slabByteCount) % slabByteCount
    if before > 0 { munmap(mapped, before) }
    munmap(mapped + before + slabByteCount, slabByteCount - before)
    return mapped + before
  }

  private mutating func addSlab() {
    let raw = Self.map()
    #if os(Linux)
      // A wish: where it is not granted, small pages do the same, slower.
      _ = madvise(raw, Self.slabByteCount, MADV_HUGEPAGE)
    #endif
    slabs.append(raw.bindMemory(to: TransactionEntry.self, capacity: Self.entryCount))
    usedCount = 0
  }
}
