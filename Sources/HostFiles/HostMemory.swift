import CHost

/// What a process asks of its allocator.
package enum HostMemory {
  /// Keeps freed memory instead of giving it back to the system at once.
  ///
  /// Batches come and go by tens of kilobytes: glibc would return the top of the heap after each,
  /// and the kernel clear the same pages again for the next. Costs at most the peak of what was
  /// in use; measured 10 % of a replay's time.
  package static func keepFreed() {
    _ = mallopt(M_TRIM_THRESHOLD, keptByteCountMax)
    _ = mallopt(M_MMAP_THRESHOLD, mappedByteCountMin)
  }

  private static let keptByteCountMax: Int32 = 256 << 20
  private static let mappedByteCountMin: Int32 = 32 << 20
}
