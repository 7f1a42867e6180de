import Testing

extension EndToEnd {
  /// Clusters of one and of five.
  @Suite struct Sizes {
    @Test func `a cluster of one node pays, and keeps its payments over a kill`() async throws {
      try await withCluster(nodes: 1) { cluster in
        let node = cluster.nodes[0]
        let record = try await load(cluster, label: "one", total: 200, clients: 10) { record in
          try wait(for: 100, in: record)
          node.kill()
          try node.start()
        }
        try #require(record.others.isEmpty, "\(record.others.prefix(3))")
        try cluster.waitUntilReady(node)
        try requireOnceEverywhere(record, cluster)
      }
    }

    @Test func `a cluster of five pays on when two are gone, and not when three are`()
      async throws
    {
      try await withCluster(nodes: 5) { cluster in
        let leader = try cluster.waitForLeader()
        let record = try await load(cluster, label: "five", total: 200, clients: 10) { record in
          try wait(for: 50, in: record)
          leader.kill()
          cluster.nodes.first { $0.number != leader.number }?.kill()
        }
        try #require(record.others.isEmpty, "\(record.others.prefix(3))")
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
        let third = try #require(cluster.running.first)
        third.kill()
        let last = try #require(cluster.running.first)
        let reply = try last.post(Order.random("five", 999).body, timeoutMilliseconds: 15_000)
        try #require(reply.status == 503, "\(reply)")
        for node in cluster.nodes where !node.isRunning { try node.start() }
        _ = try cluster.waitForLeader()
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
      }
    }
  }
}
