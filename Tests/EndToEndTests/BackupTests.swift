import Foundation
import Testing

extension EndToEnd {
  /// Backups of a running cluster, and what comes back from them.
  @Suite struct Backups {
    private struct Folder: ~Copyable {
      let path = FileManager.default.temporaryDirectory.path + "/syncpay-backup-\(UUID())"

      init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      }

      deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private func backup(_ cluster: Cluster, _ path: String) throws -> CommandResult {
      try run(
        "syncpay",
        ["backup", path]
          + cluster.nodes.flatMap { ["--node", "http://\($0.endpoint.host):\($0.httpPort)"] })
    }

    private func restore(
      _ backup: String, _ data: String, _ number: Int = 1, _ more: [String] = []
    ) throws -> CommandResult {
      try run("syncpay", ["restore", backup, "--data", data, "--number", "\(number)"] + more)
    }

    @Test func `a cluster comes back from a backup with all that was acknowledged before it`()
      async throws
    {
      try await withCluster(["segment.bytes_max": 65_536]) { cluster in
        let folder = try Folder()
        let before = try await load(cluster, label: "before", total: 1500, clients: 30)
        let policy = "\(folder.path)/policy"
        try cluster.nodes[0].get("/v1/trust-policy").body
          .write(toFile: policy, atomically: true, encoding: .utf8)
        // Under load: the log goes on, and the backup ends where it was signed.
        _ = try await load(cluster, label: "while", total: 600, clients: 20) { _ in
          let made = try backup(cluster, folder.path + "/backup")
          try #require(made.status == 0, "\(made)")
        }
        let sums = try run(
          "/usr/bin/env", ["bash", "-c", "cd '\(folder.path)/backup' && sha256sum -c SHA256SUMS"])
        #expect(sums.status == 0, "\(sums)")
        for node in cluster.nodes {
          node.kill()
          try FileManager.default.removeItem(atPath: node.data)
          let made = try restore(
            folder.path + "/backup", node.data, node.number, ["--policy", policy])
          try #require(made.status == 0, "\(made)")
        }
        // Nobody else has what came after the backup: the operator says so.
        for node in cluster.nodes { try node.start(["--vouch-for-log"]) }
        for node in cluster.nodes { try cluster.waitUntilReady(node) }
        for id in before.acknowledged {
          let found = try cluster.nodes[2].get("/transactions/\(id)")
          try #require(found.status == 200, "\(id): \(found)")
        }
        let after = try await load(cluster, label: "after", total: 100, clients: 10)
        #expect(after.others.isEmpty)
        try cluster.waitForAgreement()
        try requireOnceEverywhere(after, cluster)
      }
    }

    @Test func `one node restored into a running cluster does not vote before it has caught up`()
      async throws
    {
      try await withCluster { cluster in
        let folder = try Folder()
        _ = try await load(cluster, label: "before", total: 300, clients: 10)
        try #require(try backup(cluster, folder.path + "/backup").status == 0)
        let record = try await load(cluster, label: "later", total: 300, clients: 10)
        let leader = try cluster.waitForLeader()
        let node = try #require(cluster.nodes.first { $0.number != leader.number })
        node.kill()
        try FileManager.default.removeItem(atPath: node.data)
        let made = try restore(folder.path + "/backup", node.data, node.number)
        try #require(made.status == 0, "\(made)")
        #expect(made.errors.contains("--policy"))
        try cluster.restart(node)
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
      }
    }

    @Test func `what is unfinished or changed is refused`() async throws {
      try await withCluster(["segment.bytes_max": 65_536]) { cluster in
        let folder = try Folder()
        let path = folder.path + "/backup"
        _ = try await load(cluster, label: "some", total: 1200, clients: 30)
        // Interrupted: a directory of that name is not there, and the unfinished one is refused.
        let files = FileManager.default
        let log = path + ".partial/log"
        try files.createDirectory(atPath: log, withIntermediateDirectories: true)
        try Data([1, 2, 3]).write(
          to: URL(fileURLWithPath: log + "/00000000000000000001.lz4"))
        let unfinished = try restore(path + ".partial", folder.path + "/none")
        #expect(unfinished.status == 1 && unfinished.errors.contains("no finished backup"))
        // What an interrupted run left is gone on with; where it is not the log's, that is found.
        let wrong = try backup(cluster, path)
        #expect(wrong.status == 1 && !files.fileExists(atPath: path), "\(wrong)")
        try files.removeItem(atPath: path + ".partial")
        try #require(try backup(cluster, path).status == 0)
        #expect(try backup(cluster, path).status == 1, "it is there already")

        let segment = path + "/log/00000000000000000001.lz4"
        let whole = try #require(files.contents(atPath: segment))
        var bytes = whole
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: segment))
        let changed = try restore(path, folder.path + "/none")
        #expect(changed.status == 1 && changed.errors.contains("not the file"), "\(changed)")
        // Whoever changes a file can change its sum, but not what the nodes have signed.
        let sums = try run(
          "/usr/bin/env",
          ["bash", "-c", "cd '\(path)' && sha256sum checkpoint trust-policy log/* > SHA256SUMS"])
        try #require(sums.status == 0)
        let forged = try restore(path, folder.path + "/none")
        #expect(forged.status == 1 && forged.errors.contains("index"), "\(forged)")
        #expect(!files.fileExists(atPath: folder.path + "/none"))
        let stranger = try restore(path, folder.path + "/none", 9)
        #expect(stranger.status == 1)
        // Nor can it be cut short.
        try whole.write(to: URL(fileURLWithPath: segment))
        let last = try #require(try files.contentsOfDirectory(atPath: path + "/log").max())
        try files.removeItem(atPath: path + "/log/" + last)
        _ = try run(
          "/usr/bin/env",
          ["bash", "-c", "cd '\(path)' && sha256sum checkpoint trust-policy log/* > SHA256SUMS"])
        let short = try restore(path, folder.path + "/none")
        #expect(short.status == 1 && short.errors.contains("ends before"), "\(short)")
      }
    }

    @Test func `a run that was killed is gone on with`() async throws {
      try await withCluster(["segment.bytes_max": 65_536]) { cluster in
        let folder = try Folder()
        let path = folder.path + "/backup"
        let record = try await load(cluster, label: "killed", total: 1500, clients: 30)
        var kills = 0
        for wait in [0.05, 0.1, 0.15, 0.2, 0.3] {
          let child = try ChildProcess(
            try Binaries.path("syncpay"),
            ["backup", path]
              + cluster.nodes.flatMap { ["--node", "http://\($0.endpoint.host):\($0.httpPort)"] },
            log: folder.path + "/out", errorLog: folder.path + "/err")
          try await Task.sleep(for: .seconds(wait))
          child.end()
          guard FileManager.default.fileExists(atPath: path) else {
            kills += 1
            continue
          }
          break
        }
        print("killed \(kills) times before it was done")
        if !FileManager.default.fileExists(atPath: path) {
          let made = try backup(cluster, path)
          try #require(made.status == 0, "\(made)")
        }
        let restored = try restore(path, folder.path + "/data")
        #expect(restored.status == 0, "\(restored)")
        let told = try run(
          "syncpay-audit", ["ledger", folder.path + "/data", "--format", "json"])
        #expect(told.status == 0)
        #expect(record.others.isEmpty)
      }
    }
  }
}
