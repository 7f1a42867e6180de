import Glibc

/// Seconds that `body` takes on the monotonic clock.
func seconds<E: Error>(_ body: () throws(E) -> Void) throws(E) -> Double {
  let start = ContinuousClock.now
  try body()
  return (ContinuousClock.now - start).seconds
}

extension Duration {
  /// Seconds.
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}

/// The middle, and how far the others are from it.
struct Spread: Sendable {
  let median, min, max: Double

  /// Precondition: there are values.
  init(_ values: [Double]) {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    min = sorted[0]
    max = sorted[sorted.count - 1]
    median =
      sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }
}

/// The most memory that this process has had resident.
enum MemoryPeak {
  /// Forgets the most so far (proc(5), `/proc/self/clear_refs`); nothing happens where it may not.
  static func reset() {
    let descriptor = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    _ = write(descriptor, "5", 1)
    close(descriptor)
  }

  /// Bytes; 0 where it cannot be read.
  static var byteCount: Int { Files.statusNumber("VmHWM:") * 1_024 }
}

/// Processor time that processes have used.
enum ProcessorTime {
  /// Seconds, user and system, of this process.
  static var own: Double { seconds(of: getpid()) }

  /// Seconds, user and system, of a process (proc(5), `/proc/PID/stat`, fields 14 and 15).
  static func seconds(of pid: pid_t) -> Double {
    guard let text = Files.small("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else {
      return 0
    }
    let fields = text[end...].split(separator: " ")
    guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else {
      return 0
    }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }
}
