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
    for index in 0..<slabs.count { free(slabs[index]) }
  }

  /// Room for one segment, all empty. It lives as long as the slabs do.
  mutating func take() -> UnsafeMutablePointer<TransactionEntry> {
    if usedCount + TransactionTable.segmentCapacity > Self.entryCount { addSlab() }
    let entries = slabs[slabs.count - 1] + usedCount
    usedCount += TransactionTable.segmentCapacity
    entries.initialize(repeating: .empty, count: TransactionTable.segmentCapacity)
    return entries
  }

  private mutating func addSlab() {
    var raw: UnsafeMutableRawPointer?
    guard posix_memalign(&raw, Self.slabByteCount, Self.slabByteCount) == 0, let raw else {
      preconditionFailure("out of memory")
    }
    #if os(Linux)
      // A wish: where it is not granted, small pages do the same, slower.
      _ = madvise(raw, Self.slabByteCount, MADV_HUGEPAGE)
    #endif
    slabs.append(raw.bindMemory(to: TransactionEntry.self, capacity: Self.entryCount))
    usedCount = 0
  }
}
