import Foundation
import Testing

extension EndToEnd {
  /// The rules that move old segments.
  @Suite struct Archives {
    @Test func `old segments are moved by the rule of the cluster, and read as before`()
      async throws
    {
      let archive = FileManager.default.temporaryDirectory.path + "/syncpay-archive-\(UUID())"
      defer { try? FileManager.default.removeItem(atPath: archive) }
      let yesterday = -86_400_000
      try await withCluster(
        nodes: 1,
        ["segment.bytes_max": 65_536, "time.test_raw_offset_milliseconds": yesterday]
      ) { cluster in
        let node = cluster.nodes[0]
        let record = try await load(cluster, label: "old", total: 2500, clients: 30)
        try #require(record.others.isEmpty)
        let set = try run(
          "syncpay",
          [
            "policy", "set", "archive.after_days", "1", "--node",
            "http://\(node.endpoint.host):\(node.httpPort)",
          ])
        try #require(set.status == 0, "\(set)")
        let sealed = try node.sealedSegments()
        let whole = sealed.map { node.segmentBytes($0) }
        try #require(sealed.count >= 3)
        node.kill()
        // A day later.
        let today = [
          "--set", "time.test_raw_offset_milliseconds=0", "--set", "archive.directory=\(archive)",
        ]
        try node.start(today)
        try cluster.waitUntilReady(node)
        try eventually("old segments are in the archive", seconds: 30) {
          FileManager.default.fileExists(atPath: "\(archive)/\(sealed[0])")
            && node.logText.contains("moved to the archive") ? () : nil
        }
        #expect(sealed.map { node.segmentBytes($0) } == whole)
        let moved = try FileManager.default.contentsOfDirectory(atPath: archive)
        #expect(moved.contains(sealed[0]))
        let link = try FileManager.default.destinationOfSymbolicLink(
          atPath: "\(node.data)/log/\(sealed[0])")
        #expect(link == "\(archive)/\(sealed[0])")
        try requireOnceEverywhere(record, cluster)
        for id in record.acknowledged.shuffled().prefix(3) {
          #expect(try node.get("/v1/payments/\(id)/receipt").status == 200)
        }
        node.kill()
        #expect(try run("syncpay-audit", ["verify", node.data]).status == 0)
        try node.start(today)
        try cluster.waitUntilReady(node)
        try requireOnceEverywhere(record, cluster)
      }
    }
  }
}
