import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// Disks that run full, each node's its own: small file systems in memory.
  @Suite(.needsMounts) struct DiskRooms {
    private static let reserve = 16 << 20
    private static let settings: Settings = ["storage.reserve_bytes": reserve]

    /// Waits until a node has seen that its disk is short.
    private func waitUntilShort(_ node: TestNode) throws {
      try eventually("\(node.name) is short") {
        node.status()?["disk"]["is_short"].bool == true ? () : nil
      }
    }

    private func requireRefusal(_ node: TestNode, _ order: Order) throws {
      let reply = try node.post(order.body)
      try #require(reply.status == 507 && reply.json["code"].string == "disk_full", "\(reply)")
      try #require(reply.headers["retry-after"] != nil)
    }

    private func requireReads(_ node: TestNode) throws {
      try #require(node.isRunning)
      try #require(try node.get("/get_ledger?consistency=local").status == 200)
    }

    @Test func `a full disk refuses payments with 507, others go on, and room ends it by itself`()
      async throws
    {
      try await withCluster(Self.settings, isStarted: false) { cluster in
        let disks = try cluster.nodes.map { try SmallDisk($0.data, megabytes: 64) }
        defer { for disk in disks { disk.unmount() } }
        try cluster.start()
        var records = [try await load(cluster, label: "room-1", total: 120, clients: 12)]
        let leader = try cluster.waitForLeader()
        let place = try #require(cluster.nodes.firstIndex { $0 === leader })
        let others = cluster.nodes.filter { $0 !== leader }

        // The leader's disk runs short: it refuses, passes its office on, and goes on with the rest.
        try disks[place].fill(leaving: Self.reserve / 2)
        try waitUntilShort(leader)
        try requireRefusal(leader, Order.random("short", 0))
        try eventually("somebody else leads") {
          others.contains { $0.status()?["is_leader"].bool == true } ? () : nil
        }
        records.append(
          try await load(cluster, label: "room-2", total: 120, clients: 12, over: others))
        try requireReads(leader)

        // No room at all: nothing more is written there, and the process lives.
        try disks[place].fill(leaving: Self.reserve / 16)
        try eventually("\(leader.name) writes no more") {
          leader.logText.contains("nothing more is written to the log") ? () : nil
        }
        records.append(
          try await load(cluster, label: "room-3", total: 60, clients: 12, over: others))
        try requireReads(leader)

        // Everywhere short: everybody refuses, and nothing of it is in the log.
        for (disk, node) in zip(disks, cluster.nodes) where node !== leader {
          try disk.fill(leaving: Self.reserve / 2)
          try waitUntilShort(node)
        }
        let refused = Order.random("refused", 0)
        for node in cluster.nodes { try requireRefusal(node, refused) }

        // Room comes back, and with it payments.
        for disk in disks { disk.empty() }
        records.append(try await load(cluster, label: "room-4", total: 120, clients: 12))
        try cluster.waitForAgreement()
        for record in records { try requireOnceEverywhere(record, cluster) }
        for node in cluster.nodes {
          #expect(try node.get("/transactions/\(refused.id)").status == 404)
          #expect(node.logText.contains("the disk has room again"))
        }
        try #require(try run("syncpay-audit", ["verify"] + cluster.copies()).status == 0)
      }
    }
  }
}

/// A file system in memory, of a size of its own.
private struct SmallDisk {
  private let path: String
  private var filler: String { path + "/filler" }

  init(_ path: String, megabytes: Int) throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    guard mount("syncpay-test", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
      throw HarnessProblem("cannot mount: \(String(cString: strerror(errno)))")
    }
  }

  /// Takes room until so many bytes are free.
  func fill(leaving wanted: Int) throws {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { throw HarnessProblem("statvfs failed") }
    let free = Int(status.f_bavail) * Int(status.f_frsize)
    let descriptor = open(filler, O_CREAT | O_RDWR, 0o600)
    defer { close(descriptor) }
    var now = stat()
    fstat(descriptor, &now)
    let length = off_t(max(0, free - wanted))
    guard length == 0 || posix_fallocate(descriptor, now.st_size, length) == 0 else {
      throw HarnessProblem("cannot fill \(path)")
    }
  }

  func empty() { unlink(filler) }

  func unmount() { umount2(path, Int32(MNT_DETACH)) }
}

/// Skips a test, and says why, where no file system can be mounted.
struct NeedsMounts: SuiteTrait, TestTrait {
  func prepare(for test: Test) async throws {
    let path = FileManager.default.temporaryDirectory.path + "/syncpay-mount-\(getpid())"
    defer { rmdir(path) }
    do { try SmallDisk(path, megabytes: 1).unmount() } catch {
      try Test.cancel("file systems cannot be mounted here: \(error)")
    }
  }
}

extension Trait where Self == NeedsMounts {
  static var needsMounts: Self { NeedsMounts() }
}
