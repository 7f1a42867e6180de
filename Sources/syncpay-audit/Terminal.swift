import Audit
import Glibc

/// Standard output and standard error of this process.
enum Terminal {
  /// A writer to standard output. A reader that closes the pipe is an error, not a signal.
  static func writer() -> ReportWriter {
    signal(SIGPIPE, SIG_IGN)
    return ReportWriter { (bytes: [UInt8]) throws(OutputError) in
      clearProgress()
      try write(bytes, to: STDOUT_FILENO)
    }
  }

  /// Writes a line to standard error.
  static func complain(_ line: String) {
    try? write(Array("syncpay-audit: \(line)\n".utf8), to: STDERR_FILENO)
  }

  /// A meter that shows how many bytes are read, on a terminal only.
  static func meter() -> ProgressMeter {
    guard isShown else { return ProgressMeter() }
    let clock = ContinuousClock()
    var shown = clock.now
    return ProgressMeter { done in
      guard clock.now - shown > .milliseconds(200) else { return }
      shown = clock.now
      try? write(Array("\r\(done >> 20) MiB read\u{1b}[K".utf8), to: STDERR_FILENO)
    }
  }

  /// Removes what a meter has shown.
  static func clearProgress() {
    if isShown { try? write(Array("\r\u{1b}[K".utf8), to: STDERR_FILENO) }
  }

  private static let isShown = isatty(STDERR_FILENO) == 1

  private static func write(_ bytes: [UInt8], to descriptor: Int32) throws(OutputError) {
    var start = 0
    while start < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress.map { $0 + start }, $0.count - start)
      }
      if count >= 0 {
        start += count
      } else if errno == EPIPE {
        throw .closed
      } else if errno != EINTR {
        throw .failed(errno: errno)
      }
    }
  }
}
