import Foundation
import Testing

extension EndToEnd {
  /// Bytes change on the disk of a node that runs.
  @Suite struct Scrub {
    private func flip(_ node: TestNode, _ segment: String, at place: Int) throws {
      let file = try FileHandle(
        forUpdating: URL(fileURLWithPath: node.data + "/log/" + segment))
      defer { try? file.close() }
      try file.seek(toOffset: UInt64(place))
      let byte = try #require(try file.read(upToCount: 1)?.first)
      try file.seek(toOffset: UInt64(place))
      try file.write(contentsOf: [byte ^ 0x20])
      try file.synchronize()
    }

    @Test func `damage in old segments of running nodes is found, told, and mended under load`()
      async throws
    {
      let seed = UInt64.random(in: 0 ... .max)
      try await withCluster(["scrub.pause_seconds": 1]) { cluster in
        var generator = Chance(state: seed)
        let record = try await load(cluster, label: "rot", total: 1200, clients: 40)
        try cluster.waitForAgreement()
        try requireIdenticalSealedSegments(cluster, atLeast: 2)
        let sealed = try cluster.nodes[0].sealedSegments()
        let whole = sealed.map { cluster.nodes[0].segmentBytes($0) }
        // Every node loses something, and no two the same: the first segments of all, at other places.
        let parts = 4
        for (number, node) in cluster.nodes.enumerated() {
          for (name, bytes) in zip(sealed, whole).prefix(2) {
            let part = bytes.count / parts
            let place = Int.random(
              in: number * part..<number * part + part / 8, using: &generator)
            try flip(node, name, at: place)
          }
        }
        let more = try await load(cluster, label: "rot-on", total: 300, clients: 20)
        try eventually("all nodes have mended their segments (seed \(seed))", seconds: 40) {
          cluster.nodes.allSatisfy { node in
            zip(sealed, whole).allSatisfy { node.segmentBytes($0) == $1 }
          }
        }
        for node in cluster.nodes {
          let scrub = try eventually("\(node.name) has nothing damaged") {
            let scrub = node.status()?["scrub"]
            return scrub?["segments_damaged"].array.isEmpty == true ? scrub : nil
          }
          #expect(scrub["segments_mended"].integer ?? 0 >= 1)
          #expect(node.logText.contains("a part of a sealed segment is damaged"))
          #expect(node.logText.contains("a sealed segment is whole again"))
        }
        try requireOnceEverywhere(record, cluster)
        try requireOnceEverywhere(more, cluster)
        try #require(try run("syncpay-audit", ["verify"] + cluster.copies()).status == 0)
      }
    }

    @Test func `a damaged leader mends what a follower needs from it`() async throws {
      // It looks at nothing by itself: the follower's need must make it.
      let settings = ["scrub.bytes_per_second": 0, "cache.bytes_max": 65_536]
      try await withCluster(settings) { cluster in
        let leader = try cluster.waitForLeader()
        let away = try #require(cluster.nodes.first { $0.number != leader.number })
        away.kill()
        let others = cluster.nodes.filter { $0.number != away.number }
        let record = try await load(
          cluster, label: "needed", total: 3000, clients: 64, over: others)
        try #require(record.others.isEmpty, "\(record.others.prefix(3))")
        let sealed = try eventually("the leader has sealed segments") {
          let sealed = try leader.sealedSegments()
          return sealed.count >= 3 ? sealed : nil
        }
        for name in sealed.dropFirst().prefix(2) {
          try flip(leader, name, at: leader.segmentBytes(name).count / 3)
        }
        try cluster.restart(away)
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
        try requireIdenticalSealedSegments(cluster, atLeast: 3)
        #expect(leader.logText.contains("a sealed segment is whole again"))
      }
    }
  }
}
