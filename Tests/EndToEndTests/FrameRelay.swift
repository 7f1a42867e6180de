import Foundation
import Glibc
import Synchronization

/// A network emulator for kernels without `tc netem`: each node's cable is a pair of TAP devices,
/// and a thread carries frames between the two. What a node sends is dropped at random or arrives
/// late, in order; what it is sent passes at once.
final class FrameRelay: Sendable {
  /// A node's cable, by its ends' descriptors.
  private struct Cable {
    let inner: Int32
    let outer: Int32
  }

  private struct Frame {
    let due: ContinuousClock.Instant
    let bytes: [UInt8]
    let descriptor: Int32
  }

  private let impairment: Impairment
  private let cables = Mutex<[Cable]>([])
  private let isClean = Atomic(false)
  private let isStopping = Atomic(false)
  private let hasEnded = DispatchSemaphore(value: 0)
  private let isStarted = Atomic(false)

  /// A relay without cables.
  init(_ impairment: Impairment) throws {
    precondition((0...99).contains(impairment.lossPercent))
    self.impairment = impairment
  }

  /// Makes a cable's two devices; both go when the relay stops.
  func add(inner: String, outer: String) throws {
    let end = try Self.open(inner)
    do {
      let cable = Cable(inner: end, outer: try Self.open(outer))
      cables.withLock { $0.append(cable) }
    } catch {
      close(end)
      throw error
    }
  }

  /// Begins to carry.
  func start() {
    isStarted.store(true, ordering: .relaxed)
    Thread.detachNewThread { self.carry() }
  }

  /// From now on nothing is lost, and nothing waits but for what was sent before it.
  func clean() { isClean.store(true, ordering: .relaxed) }

  /// Ends it, and removes the devices.
  func stop() {
    isStopping.store(true, ordering: .relaxed)
    if isStarted.load(ordering: .relaxed) { hasEnded.wait() }
    cables.withLock { cables in
      for cable in cables {
        close(cable.inner)
        close(cable.outer)
      }
      cables = []
    }
  }

  /// A TAP device of that name, whose frames are read and written whole (Linux,
  /// Documentation/networking/tuntap.rst): without offloads, so that they carry their checksums.
  private static func open(_ name: String) throws -> Int32 {
    let descriptor = Glibc.open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw HarnessProblem("/dev/net/tun: error \(errno)") }
    // struct ifreq: sixteen bytes of name, then the flags IFF_TAP | IFF_NO_PI.
    var request = [UInt8](repeating: 0, count: 40)
    for (place, byte) in name.utf8.prefix(15).enumerated() { request[place] = byte }
    request[16] = 0x02
    request[17] = 0x10
    let setInterface: UInt = 0x4004_54ca
    guard ioctl(descriptor, setInterface, &request) == 0 else {
      let problem = errno
      close(descriptor)
      throw HarnessProblem("no TAP device can be made: error \(problem)")
    }
    return descriptor
  }

  private func carry() {
    let cables = self.cables.withLock { $0 }
    var late: [Frame] = []
    var generator = SystemRandomNumberGenerator()
    var polled = cables.flatMap { [$0.inner, $0.outer] }.map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    while !isStopping.load(ordering: .relaxed) {
      poll(&polled, nfds_t(polled.count), late.isEmpty ? 50 : 1)
      let now = ContinuousClock.now
      let isClean = self.isClean.load(ordering: .relaxed)
      let due = now + .milliseconds(isClean ? 0 : impairment.delayMilliseconds)
      let lossPercent = isClean ? 0 : impairment.lossPercent
      for cable in cables {
        while let bytes = Self.read(cable.inner) {
          guard Int.random(in: 0..<100, using: &generator) >= lossPercent else { continue }
          let last = late.last?.due ?? due
          late.append(Frame(due: max(due, last), bytes: bytes, descriptor: cable.outer))
        }
        while let bytes = Self.read(cable.outer) { Self.write(bytes, to: cable.inner) }
      }
      // The frames stand in the order in which they are due.
      let ready = late.prefix { $0.due <= now }
      for frame in ready { Self.write(frame.bytes, to: frame.descriptor) }
      late.removeFirst(ready.count)
    }
    hasEnded.signal()
  }

  private static func read(_ descriptor: Int32) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 2048)
    let count = Glibc.read(descriptor, &buffer, buffer.count)
    return count > 0 ? Array(buffer.prefix(count)) : nil
  }

  /// A frame that the device does not take is lost, as on a cable.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    _ = Glibc.write(descriptor, bytes, bytes.count)
  }
}
