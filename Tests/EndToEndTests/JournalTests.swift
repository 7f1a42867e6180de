import Foundation
import Testing

extension EndToEnd {
  /// What nodes keep of their clock sources.
  @Suite struct Journals {
    @Test func `a node's journal has every measurement, outlives kills, and is verified`()
      async throws
    {
      try await withCluster(perNode: [3: ["time.test_raw_offset_milliseconds": 700]]) { cluster in
        let node = cluster.nodes[0]
        func kept() throws -> [JSON] {
          let result = try run("syncpay-audit", ["measurements", node.data, "--format", "json"])
          guard result.status == 0 else { return [] }
          return try result.lines.map { try JSON(String($0)) }
        }
        let first = try eventually("the journal is written", seconds: 30) {
          try kept().isEmpty ? nil : try kept()
        }
        try #require(Set(first.map { $0["source"].string ?? "" }) == ["node2", "node3"])
        for measurement in first where measurement["source"].string == "node3" {
          let offset = try #require(measurement["offset_ns"].integer)
          let bound = try #require(measurement["bound_ns"].integer)
          // The clocks' rates are the host's: a few microseconds a second at most.
          try #require(abs(offset - 700_000_000) <= bound + 1_000_000, "\(measurement)")
          try #require(measurement["stamp", "node"].integer == 1)
        }
        node.kill()
        try cluster.restart(node)
        let later = try eventually("the journal goes on", seconds: 30) {
          let now = try kept()
          return now.count > first.count ? now : nil
        }
        try #require(
          Array(later.prefix(first.count)).map { $0["stamp", "raw_ns"].integer }
            == first.map { $0["stamp", "raw_ns"].integer })
        let segment = node.data + "/journal/"
        let name = try #require(
          try FileManager.default.contentsOfDirectory(atPath: segment).first)
        try #require(try run("/usr/bin/env", ["lz4", "-t", segment + name]).status == 0)
        for node in cluster.nodes { node.signal(SIGTERM) }
        for node in cluster.nodes { try #require(try node.wait() == 0) }
        let verified = try run("syncpay-audit", ["verify"] + cluster.nodes.map(\.data))
        try #require(
          verified.status == 0 && verified.output.contains("node1/journal"), "\(verified)")
      }
    }
  }
}
