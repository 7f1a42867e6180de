import Foundation
import Testing

extension EndToEnd {
  /// What nodes keep of what they saw.
  @Suite struct Journals {
    @Test func `the timeline has refused payments, elections and health from the journals`()
      async throws
    {
      try await withCluster(["payment.answer_milliseconds": 1500]) { cluster in
        let leader = try cluster.waitForLeader()
        let payer = PaymentClient(cluster.nodes)
        try #require(payer.pay(.random("before", 1), first: 0) == .acknowledged)
        let others = cluster.nodes.filter { $0.name != leader.name }
        for node in others { node.kill() }
        let lost = Order.random("refused", 1)
        let reply = try leader.post(lost.body)
        try #require(reply.status == 503, "\(reply)")
        for node in others { try cluster.restart(node) }
        _ = try cluster.waitForLeader()
        try #require(payer.pay(.random("after", 1), first: 0) == .acknowledged)
        for node in cluster.nodes { node.signal(SIGTERM) }
        for node in cluster.nodes { try #require(try node.wait() == 0) }
        let data = cluster.nodes.map(\.data)
        let shown = try run(
          "syncpay-audit", ["timeline", "--journals", "--format", "json"] + data)
        try #require(shown.status == 0, "\(shown)")
        let events = try shown.lines.map { try JSON(String($0)) }
        func noted(_ kind: String) -> [JSON] { events.filter { $0["kind"].string == kind } }
        let refusal = try #require(
          noted("payment_refused").first { $0["transaction_id"].string == lost.id }, "\(shown)")
        #expect(["in_doubt", "no_leader"].contains(refusal["word"].string))
        try #require(noted("started").count == 5 && noted("stopped").count == 3)
        try #require(noted("role").contains { $0["word"].string == "leader" })
        try #require(
          noted("peer_health").contains {
            $0["word"].string == "down" || $0["word"].string == "suspect"
          })
        // One list in order of time: the refusal stands between both payments.
        func place(_ id: String) throws -> Int {
          try #require(events.firstIndex { $0["transaction_id"].string == id }, "\(id)")
        }
        let order = [try place("before-1"), try place(lost.id), try place("after-1")]
        try #require(order == order.sorted(), "\(order)")
        let times = events.compactMap { $0["stamp", "corrected_ns"].integer }
        try #require(times == times.sorted() && times.count == events.count)
        // Without the flag they are left out; the same journal twice adds nothing.
        let plain = try run("syncpay-audit", ["timeline", "--format", "json"] + data)
        try #require(plain.lines.count == events.filter { $0["journal"].bool != true }.count)
        let twice = try run(
          "syncpay-audit", ["timeline", "--journals", "--format", "json"] + data + [data[0]])
        try #require(twice.lines == shown.lines)
        let refused = try run("syncpay-audit", ["timeline", "--journals", "--order", "log"] + data)
        try #require(refused.status == 64, "\(refused)")
      }
    }

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
