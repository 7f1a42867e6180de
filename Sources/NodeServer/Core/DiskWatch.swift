import HostFiles
import Logging
import NIOCore
import NIOPosix
import NodeRuntime
import SegmentLog
import Synchronization

/// Looks again and again how much room a node's disk has, and tells the node and its storage.
///
/// `@unchecked Sendable`: `room`, `task` and `isLooking` are touched on `loop` only; the rest is
/// immutable or under a lock.
final class DiskWatch: @unchecked Sendable {
  private static let intervalMilliseconds: Int64 = 200

  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let directory: String
  private let logger: Logger
  private var room: DiskRoom
  private var task: RepeatedTask?
  private var isLooking = false
  private let published: Mutex<DiskRoom>
  /// Called on the loop when something changed.
  var changed: ((DiskRoom) -> Void)?

  /// A watch over the file system that holds `directory`; `pool` must be started.
  init(
    loop: any EventLoop, pool: NIOThreadPool, directory: String, reserveByteCount: UInt64,
    logger: Logger
  ) {
    self.loop = loop
    self.pool = pool
    self.directory = directory
    self.logger = logger
    room = DiskRoom(reserveByteCount: reserveByteCount)
    published = Mutex(room)
  }

  /// What was seen last, from any thread.
  var current: DiskRoom { published.withLock { $0 } }

  /// Begins, unless there is no reserve to keep. On the loop.
  func start() {
    guard room.reserveByteCount > 0 else { return }
    task = loop.scheduleRepeatedTask(
      initialDelay: .zero, delay: .milliseconds(Self.intervalMilliseconds)
    ) { _ in self.look() }
  }

  /// Looks no more. On the loop.
  func stop() { task?.cancel() }

  private func look() {
    // A file system that hangs is asked once.
    guard !isLooking else { return }
    isLooking = true
    pool.submit { [directory, loop] state in
      guard case .active = state else { return }
      let free = PosixFileSystem().freeByteCount(directory)
      loop.execute { self.looked(free) }
    }
  }

  private func looked(_ free: UInt64?) {
    isLooking = false
    guard let free else { return }
    let before = room
    room.look(freeByteCount: free)
    published.withLock { $0 = room }
    guard room.isShort != before.isShort || room.isExhausted != before.isExhausted else { return }
    tell(before)
    changed?(room)
  }

  private func tell(_ before: DiskRoom) {
    let metadata: Logger.Metadata = [
      "free_bytes": "\(room.freeByteCount ?? 0)", "reserve_bytes": "\(room.reserveByteCount)",
    ]
    if room.isExhausted, !before.isExhausted {
      logger.critical(
        "the disk is as good as full: nothing more is written to the log", metadata: metadata)
    } else if !room.isExhausted, room.isShort, !before.isShort {
      logger.error("the disk is nearly full: payments are refused", metadata: metadata)
    } else if room.isShort {
      logger.notice("the log is written again; payments are still refused", metadata: metadata)
    } else {
      logger.notice("the disk has room again", metadata: metadata)
    }
  }
}
