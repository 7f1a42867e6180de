import Glibc
import Logging

/// The end of a process that must not go on.
enum Halt {
  /// The exit status: an operator's unit must not restart it blindly.
  static let status: Int32 = 70

  /// Logs why and ends the process at once, without flushing: what is not durable was never
  /// acknowledged.
  static func now(_ reason: String, logger: Logger) -> Never {
    logger.critical("halting", metadata: ["reason": "\(reason)"])
    _exit(status)
  }
}
