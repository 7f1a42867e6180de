import Glibc

/// What a thread asks of the host.
package enum HostThread {
  private static let niceness: Int32 = 10

  /// Lets other threads go first from now on (setpriority(2); on Linux for this thread alone). A
  /// wish: where it is refused, nothing changes.
  package static func giveWay() {
    // Number 0 is the calling thread.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
  }
}
