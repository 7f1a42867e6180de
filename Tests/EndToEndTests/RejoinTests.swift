import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// A node that was away comes back, whatever its disk holds.
  @Suite struct Rejoin {
    // The original's restarted node never caught up.
    @Test func `a restarted follower that missed thousands of payments catches up`()
      async throws
    {
      // Memory is to hold little of what was missed: most of it is read from the leader's segments.
      try await withCluster(["cache.bytes_max": 65_536]) { cluster in
        let leader = try cluster.waitForLeader()
        let away = try follower(of: leader, in: cluster)
        away.kill()
        let others = cluster.nodes.filter { $0.number != away.number }
        let record = try await load(
          cluster, label: "missed", total: 3000, clients: 64, over: others)
        try #require(record.others.isEmpty, "\(record.others.prefix(3))")
        try cluster.restart(away)
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
        try requireIdenticalSealedSegments(cluster, atLeast: 3)
      }
    }

    // HAZARD: a wiped node has forgotten its vote; that it may vote at once is later work.
    @Test func `a node that lost its data directory is not talked to under its old number`()
      async throws
    {
      try await withCluster { cluster in
        let leader = try cluster.waitForLeader()
        let record = try await load(cluster, label: "wiped", total: 600, clients: 30)
        let away = try follower(of: leader, in: cluster)
        away.kill()
        try FileManager.default.removeItem(atPath: away.data)
        try away.start()
        _ = try eventually("the node hears why nobody talks to it", seconds: 20) {
          away.logText.contains("another data directory under this node's number") ? () : nil
        }
        // It has forgotten its votes: none of them counts, and the others go on without it.
        try #require(away.status()?["leader"].string == nil)
        away.kill()
        let others = try await load(cluster, label: "others", total: 50, clients: 5)
        try cluster.waitForAgreement()
        for node in cluster.running {
          try #require(node.status()?["transaction_count"].integer ?? 0 >= 650, "\(node.name)")
        }
        _ = (record, others)
      }
    }

    @Test func `a torn end of the log is cut, fetched again and agreed on`() async throws {
      try await withCluster { cluster in
        let leader = try cluster.waitForLeader()
        let record = try await load(cluster, label: "torn", total: 200, clients: 10)
        let hurt = try follower(of: leader, in: cluster)
        // A write that a crash left half done: the beginning of a batch's frame, then garbage.
        hurt.kill()
        try changeLastSegment(of: hurt) { bytes in
          bytes += bytes.suffix(64).map { $0 ^ 0x5a }
          bytes += (0..<333).map { UInt8(truncatingIfNeeded: $0 &* 41) }
        }
        try cluster.restart(hurt)
        try cluster.waitForAgreement()
        try #require(hurt.logText.contains("torn bytes"))
        try requireOnceEverywhere(record, cluster)
      }
    }

    @Test func `a last batch that never reached the disk whole is fetched again`() async throws {
      // No clock report after the last payment, so that its batch is not known to be committed on
      // disk: only such a batch can be torn.
      try await withCluster(["time.report_seconds": 3600]) { cluster in
        let leader = try cluster.waitForLeader()
        let record = try await load(cluster, label: "cut", total: 50, clients: 5)
        let hurt = try follower(of: leader, in: cluster)
        hurt.kill()
        try changeLastSegment(of: hurt) { $0.removeLast(37) }
        try cluster.restart(hurt)
        try cluster.waitForAgreement()
        try #require(hurt.logText.contains("torn bytes"))
        try requireOnceEverywhere(record, cluster)
      }
    }

    @Test func `flipped bytes are named by the audit, and mended from the other nodes`()
      async throws
    {
      let seed = UInt64.random(in: 0 ... .max)
      try await withCluster { cluster in
        var generator = Chance(state: seed)
        let leader = try cluster.waitForLeader()
        let record = try await load(cluster, label: "flip", total: 800, clients: 40)
        let hurt = try follower(of: leader, in: cluster)
        hurt.kill()
        let sealed = try hurt.sealedSegments()
        let segment = try #require(sealed.first)
        let before = sealed.map { hurt.segmentBytes($0) }
        for (name, whole) in zip(sealed, before) {
          var bytes = whole
          let offset =
            name == segment
            ? bytes.count / 2 : Int.random(in: 0..<bytes.count, using: &generator)
          bytes[offset] ^= 0x10
          try Data(bytes).write(to: URL(fileURLWithPath: hurt.data + "/log/" + name))
        }
        let verified = try run(
          "syncpay-audit", ["verify", "--format", "json"] + cluster.nodes.map(\.data))
        try #require(verified.status == 1, "\(verified)")
        let faults = verified.json["nodes"].array.map { $0["log", "fault"] }
        let fault = faults[hurt.number - 1]
        try #require(fault["file"].string?.hasSuffix(segment) == true, "\(verified)")
        // The fault is placed at the batch that holds the byte.
        let at = try #require(fault["offset"].integer)
        let offset = before[0].count / 2
        try #require(at <= offset && offset < at + (1 << 20), "\(at) for \(offset)")
        for (number, fault) in faults.enumerated() where number != hurt.number - 1 {
          try #require(fault == .null)
        }
        // The node takes no part before its log is whole again.
        try hurt.start()
        try cluster.waitForAgreement()
        try #require(hurt.logText.contains(segment), "\(hurt.logText)")
        try #require(hurt.logText.contains("whole again"), "\(hurt.logText)")
        for (name, whole) in zip(sealed, before) {
          #expect(hurt.segmentBytes(name) == whole, "\(name), seed \(seed)")
        }
        try requireOnceEverywhere(record, cluster)
        try #require(try run("syncpay-audit", ["verify"] + cluster.copies()).status == 0)
      }
    }

    @Test func `a majority that lost its logs' ends votes only at the operator's word`()
      async throws
    {
      try await withCluster { cluster in
        let record = try await load(cluster, label: "ends", total: 400, clients: 20)
        try cluster.waitForAgreement()
        // Until the hard states vouch for all of it: what they do not know they cannot miss.
        try await Task.sleep(for: .seconds(3))
        for node in cluster.nodes { node.kill() }
        let hurt = cluster.nodes.dropLast()
        for node in hurt { try changeLastSegment(of: node) { $0.removeLast($0.count / 2) } }
        for node in cluster.nodes { try node.start() }
        // They fetch what the third one has, and yet nobody can be elected: together they may have
        // acknowledged more than that.
        for node in hurt {
          try eventually("\(node.name) has its log again, and abstains") {
            node.status()?["reasons"].array.contains {
              $0.string?.contains("lost what it had acknowledged") == true
            } ?? false
          }
        }
        try await Task.sleep(for: .seconds(2))
        for node in cluster.nodes { try #require(node.status()?["leader"].string == nil) }
        let vouched = try #require(hurt.first)
        vouched.kill()
        try vouched.start(["--vouch-for-log"])
        try cluster.waitForAgreement()
        #expect(vouched.logText.contains("because the operator vouches for its log"))
        // The other one holds an entry of the new leader, and votes again by itself.
        for node in hurt {
          try eventually("\(node.name) abstains no more") {
            node.status()?["reasons"].array.allSatisfy {
              $0.string?.contains("lost what it had acknowledged") == false
            } ?? false
          }
        }
        try requireOnceEverywhere(record, cluster)
        try #require(try run("syncpay-audit", ["verify"] + cluster.copies()).status == 0)
        // The word was for one loss: it is not taken for whatever may be lost later.
        vouched.kill()
        try vouched.start(["--vouch-for-log"])
        try #require(try vouched.wait() == 1)
        #expect(vouched.logText.contains("start it without"))
        try cluster.restart(vouched)
        try cluster.waitForAgreement()
      }
    }

    @Test func `when every copy is damaged all nodes stop and name the batch`() async throws {
      try await withCluster { cluster in
        _ = try await load(cluster, label: "gone", total: 500, clients: 30)
        try cluster.waitForAgreement()
        for node in cluster.nodes { node.kill() }
        let segment = try #require(try cluster.nodes[0].sealedSegments().first)
        for node in cluster.nodes {
          var bytes = node.segmentBytes(segment)
          bytes[bytes.count / 2] ^= 1
          try Data(bytes).write(to: URL(fileURLWithPath: node.data + "/log/" + segment))
        }
        for node in cluster.nodes { try node.start() }
        for node in cluster.nodes {
          try #require(try node.wait() == 1)
          #expect(node.logText.contains("no other node has it whole"), "\(node.logText)")
        }
      }
    }

    @Test func `no flipped byte of a sealed segment escapes the audit`() async throws {
      let seed = UInt64.random(in: 0 ... .max)
      try await withCluster { cluster in
        _ = try await load(cluster, label: "bits", total: 500, clients: 30)
        try cluster.waitForAgreement()
        let directory = try cluster.copies()[0]
        let segment = try #require(try cluster.nodes[0].sealedSegments().first)
        let path = directory + "/log/" + segment
        let whole = Array(try #require(FileManager.default.contents(atPath: path)))
        try #require(try run("syncpay-audit", ["verify", directory]).status == 0)
        var generator = Chance(state: seed)
        // The head, the foot and places between.
        let places =
          [0, 12, 15, 40, 81, 95, 100, 130, whole.count - 1, whole.count - 9, whole.count - 40]
          + (0..<30).map { _ in Int.random(in: 0..<whole.count, using: &generator) }
        for place in places {
          var bytes = whole
          bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
          try Data(bytes).write(to: URL(fileURLWithPath: path))
          let result = try run("syncpay-audit", ["verify", "--format", "json", directory])
          let fault = (result.json["nodes"].array.first ?? .null)["log", "fault"]
          #expect(
            result.status == 1 && fault["file"].string?.hasSuffix(segment) == true,
            "byte \(place) of \(whole.count) (seed \(seed)): \(result)")
        }
      }
    }

    @Test func `a second process on a data directory is refused`() async throws {
      try await withCluster(nodes: 1) { cluster in
        let node = cluster.nodes[0]
        let second = try run("syncpayd", ["--config", node.configuration])
        try #require(second.status == 1, "\(second)")
        try #require(second.errors.contains("another syncpayd"), "\(second)")
        try #require(try node.get("/ping").status == 200)
      }
    }

    private func follower(of leader: TestNode, in cluster: Cluster) throws -> TestNode {
      try #require(cluster.nodes.first { $0.number != leader.number })
    }

    private func changeLastSegment(
      of node: TestNode, _ change: (inout [UInt8]) -> Void
    ) throws {
      let name = try #require(try node.segments().last)
      var bytes = node.segmentBytes(name)
      change(&bytes)
      try Data(bytes).write(to: URL(fileURLWithPath: node.data + "/log/" + name))
    }
  }
}
