/// Counts the bytes that long work has done, for whoever shows it.
package final class ProgressMeter {
  private let show: (UInt64) -> Void
  private var done: UInt64 = 0

  /// A meter that tells `show` how many bytes are done.
  package init(_ show: @escaping (UInt64) -> Void = { _ in }) { self.show = show }

  /// Counts `byteCount` more.
  package func advance(by byteCount: UInt64) {
    done += byteCount
    show(done)
  }
}
