import Glibc

/// How long something took.
struct Took: Sendable {
  /// Seconds on the monotonic clock.
  var wall = 0.0
  /// Seconds that this thread ran: less than `wall` where others wanted the core too.
  var processor = 0.0

  static func += (left: inout Took, right: Took) {
    left.wall += right.wall
    left.processor += right.processor
  }
}

/// How long `body` takes, on one thread.
func took<E: Error>(_ body: () throws(E) -> Void) throws(E) -> Took {
  let start = (ContinuousClock.now, threadSeconds)
  try body()
  return Took(
    wall: (ContinuousClock.now - start.0).seconds, processor: threadSeconds - start.1)
}

private var threadSeconds: Double {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

extension [Took] {
  /// Rates of runs that each handled `events`: medians, and the slowest and fastest.
  func rateFields(events: Int) -> [Field] {
    let wall = Spread(map(\.wall))
    let processor = Spread(map(\.processor))
    let events = Double(events)
    return [
      .real("events_per_second", events / wall.median), .real("min", events / wall.max),
      .real("max", events / wall.min),
      .real("ns_per_event", wall.median * 1e9 / events, decimals: 1),
      .real("cpu_ns_per_event", processor.median * 1e9 / events, decimals: 1),
    ]
  }
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

/// The smallest value that at least `percent` of all values do not exceed (nearest rank).
///
/// Precondition: there are values, and `percent` is 1 to 100.
func nearestRank(_ percent: Int, of values: [Double]) -> Double {
  values.sorted()[(values.count * percent + 99) / 100 - 1]
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
