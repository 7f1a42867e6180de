import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// Operators change a cluster that runs: its members, its leader, its rules.
  @Suite struct Membership {
    @Test func `a cluster of three grows to four while it holds more than its memory`()
      async throws
    {
      // Little memory: the new node is fed from segments.
      try await withCluster(joining: 1, ["cache.bytes_max": 65_536]) { cluster in
        let newcomer = cluster.nodes[3]
        let record = try await load(
          cluster, label: "grow", total: 3000, clients: 64, over: cluster.running)
        try #require(record.others.isEmpty, "\(record.others.prefix(3))")
        try newcomer.start()
        let waiting = try eventually("it serves") { try? newcomer.get("/health").json }
        try #require(waiting["reasons"].array.first?.string?.contains("no member") == true)
        let early = try operate(cluster, ["members", "promote", "4"])
        try #require(early.status == 1 && early.errors.contains("not_a_learner"), "\(early)")
        try grow(cluster, by: newcomer)
        try cluster.waitUntilReady(newcomer)
        for node in cluster.nodes { try waitForMembers([1, 2, 3, 4], at: node) }
        // Four voters need three: without one founder the new one counts.
        let founder = try #require(
          cluster.nodes.first { $0.number != 4 && $0.status()?["is_leader"].bool == false })
        founder.kill()
        let more = try await load(
          cluster, label: "four", total: 200, clients: 10, over: [newcomer])
        try #require(more.others.isEmpty, "\(more.others.prefix(3))")
        try cluster.restart(founder)
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
        try requireOnceEverywhere(more, cluster)
        try requireIdenticalSealedSegments(cluster, atLeast: 3)
      }
    }

    @Test func `a dead node whose disk is gone is replaced under a new number`() async throws {
      try await withCluster(joining: 1) { cluster in
        let newcomer = cluster.nodes[3]
        let first = try await load(
          cluster, label: "old", total: 300, clients: 20, over: cluster.running)
        let leader = try cluster.waitForLeader()
        let dead = try #require(cluster.running.first { $0.number != leader.number })
        dead.kill()
        try FileManager.default.removeItem(atPath: dead.data)
        try newcomer.start()
        try add(newcomer, to: cluster)
        let replaced = try operate(
          cluster,
          ["members", "replace", "\(dead.number)", "--with", "4", "--timeout", "60"])
        try #require(replaced.status == 0, "\(replaced)")
        try cluster.waitUntilReady(newcomer)
        let numbers = cluster.running.map(\.number)
        for node in cluster.running { try waitForMembers(numbers, at: node) }
        let second = try await load(
          cluster, label: "new", total: 300, clients: 20, over: cluster.running)
        try #require(first.others.isEmpty && second.others.isEmpty)
        try cluster.waitForAgreement()
        try requireOnceEverywhere(first, cluster)
        try requireOnceEverywhere(second, cluster)
      }
    }

    @Test func `the leader is removed under load, and no acknowledged payment is lost`()
      async throws
    {
      try await withCluster { cluster in
        let leader = try cluster.waitForLeader()
        let record = try await load(cluster, label: "leave", clients: 12) { record in
          try wait(for: 200, in: record)
          let removed = try operate(
            cluster, ["members", "remove", "\(leader.number)", "--timeout", "30"])
          try #require(removed.status == 0, "\(removed)")
          try wait(for: record.count + 400, in: record)
        }
        try #require(record.others.isEmpty, "not acknowledged: \(record.others.prefix(3))")
        // It takes no more payments, and does not disturb the others.
        let reply = try leader.post(Order.random("late", 1).body)
        try #require(reply.status == 503, "\(reply)")
        let health = try leader.get("/health").json
        try #require(health["reasons"].array.first?.string?.contains("no member") == true)
        leader.kill()
        _ = try cluster.waitForLeader()
        for node in cluster.running { try waitForMembers(cluster.running.map(\.number), at: node) }
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
      }
    }

    @Test func `restarted nodes follow the log, not their files`() async throws {
      try await withCluster(joining: 1) { cluster in
        let newcomer = cluster.nodes[3]
        try newcomer.start()
        try grow(cluster, by: newcomer)
        // Every file but the newcomer's says that node 1 has a vote and node 4 does not exist.
        let removed = try operate(cluster, ["members", "remove", "1", "--timeout", "30"])
        try #require(removed.status == 0, "\(removed)")
        cluster.nodes[0].kill()
        let rest = Array(cluster.nodes.dropFirst())
        _ = try cluster.waitForLeader()
        let record = try await load(cluster, label: "rest", total: 100, clients: 10, over: rest)
        try #require(record.others.isEmpty, "\(record.others.prefix(3))")
        // One stops as it should, with a snapshot; the others are killed.
        rest[0].signal(SIGTERM)
        try #require(try rest[0].wait() == 0)
        for node in rest.dropFirst() { node.kill() }
        for node in rest { try node.start() }
        for node in rest { try cluster.waitUntilReady(node) }
        for node in rest { try waitForMembers([2, 3, 4], at: node) }
        let more = try await load(cluster, label: "again", total: 100, clients: 10, over: rest)
        try #require(more.others.isEmpty, "\(more.others.prefix(3))")
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
        try requireOnceEverywhere(more, cluster)
      }
    }

    @Test func `a voter made a learner serves on, and becomes a voter again`() async throws {
      try await withCluster { cluster in
        let leader = try cluster.waitForLeader()
        let node = try #require(cluster.nodes.first { $0.number != leader.number })
        let demoted = try operate(cluster, ["members", "demote", "\(node.number)"])
        try #require(demoted.status == 0, "\(demoted)")
        for number in 1...5 {
          let order = Order(
            id: "learner-\(number)", sender: "bank", receiver: "shop", amount: "1.00")
          let paid = try node.post(order.body)
          try #require(paid.status == 200, "\(paid)")
          let balance = try node.get("/get_ledger?account=shop")
          try #require(balance.json["balances", "shop"].digits == "\(number).00", "\(balance)")
        }
        let list = try operate(cluster, ["members", "list", "--format", "json"])
        let roles = list.json["members"].array.map { $0["role"].string }
        try #require(roles[node.number - 1] == "learner", "\(list)")
        try #require(roles.filter { $0 == "voter" }.count == 2, "\(list)")
        // The leader knows how far everybody is.
        try #require(list.json["members"].array.allSatisfy { $0["match_index"].integer != nil })
        let promoted = try operate(
          cluster, ["members", "promote", "\(node.number)", "--timeout", "30"])
        try #require(promoted.status == 0, "\(promoted)")
        for node in cluster.nodes { try waitForMembers([1, 2, 3], at: node) }
      }
    }

    @Test func `leadership goes where the operator wants, and no payment fails`() async throws {
      try await withCluster { cluster in
        let leader = try cluster.waitForLeader()
        let next = try #require(cluster.nodes.first { $0.number != leader.number })
        let record = try await load(cluster, label: "hand", clients: 8) { record in
          try wait(for: 100, in: record)
          let moved = try operate(
            cluster, ["leader", "transfer", "--to", "\(next.number)", "--timeout", "30"])
          try #require(moved.status == 0, "\(moved)")
          try wait(for: record.count + 200, in: record)
        }
        try #require(record.others.isEmpty, "\(record.others.prefix(3))")
        let shown = try operate(cluster, ["leader", "show"])
        try #require(shown.output.contains("node\(next.number) (node \(next.number)) leads"))
        let same = try operate(cluster, ["leader", "transfer", "--to", "\(next.number)"])
        try #require(same.status == 1 && same.errors.contains("unchanged"), "\(same)")
        let nobody = try operate(cluster, ["leader", "transfer", "--to", "9"])
        try #require(nobody.status == 1 && nobody.errors.contains("member_unknown"), "\(nobody)")
      }
    }

    @Test func `a rule set at one node holds on all, and after all have restarted`() async throws {
      try await withCluster { cluster in
        for node in cluster.nodes {
          let set = try run(
            "syncpay",
            ["policy", "set", "retain.days", "\(node.number)"]
              + ["--node", "http://127.0.0.1:\(node.httpPort)"])
          try #require(set.status == 0, "\(set)")
          for other in cluster.nodes {
            try #require(try rule("retain.days", at: other) == "\(node.number)")
          }
        }
        let set = try operate(cluster, ["policy", "set", "accounts.overdraft", "no"])
        try #require(set.status == 0, "\(set)")
        let wrong = try operate(cluster, ["policy", "set", "segment.bytes", "1"])
        try #require(wrong.status == 1 && wrong.errors.contains("value_invalid"), "\(wrong)")
        for node in cluster.nodes { node.kill() }
        try cluster.start()
        let shown = try operate(cluster, ["policy", "get", "accounts.overdraft"])
        try #require(shown.output == "no\n", "\(shown)")
        for node in cluster.nodes {
          try #require(try rule("retain.days", at: node) == "3")
          let poor = try node.post(Order.random("poor", node.number).body)
          try #require(poor.status == 409, "\(poor)")
          try #require(poor.json["code"].string == "insufficient_funds", "\(poor)")
        }
      }
    }

    // MARK: What operators type

    private func operate(_ cluster: Cluster, _ arguments: [String]) throws -> CommandResult {
      try run(
        "syncpay",
        arguments + cluster.running.flatMap { ["--node", "http://127.0.0.1:\($0.httpPort)"] })
    }

    private func add(_ node: TestNode, to cluster: Cluster) throws {
      let added = try operate(
        cluster,
        [
          "members", "add", "\(node.number)", "--peer", "\(node.peer.host):\(node.peer.port)",
          "--client", "\(node.endpoint.host):\(node.endpoint.port)", "--timeout", "30",
        ])
      try #require(added.status == 0, "\(added)")
    }

    private func grow(_ cluster: Cluster, by node: TestNode) throws {
      try add(node, to: cluster)
      let promoted = try operate(
        cluster, ["members", "promote", "\(node.number)", "--timeout", "60"])
      try #require(promoted.status == 0, "\(promoted)")
    }

    private func waitForMembers(_ numbers: [Int], at node: TestNode) throws {
      try eventually("\(node.name) knows the voters \(numbers)") {
        let reply = try node.get("/v1/members").json
        let voters = reply["members"].array.filter { $0["role"].string == "voter" }
        return voters.count == reply["members"].array.count
          && voters.compactMap { $0["id"].integer } == numbers
      }
    }

    private func rule(_ key: String, at node: TestNode) throws -> String? {
      let reply = try node.get("/v1/policy?consistency=linearizable")
      try #require(reply.status == 200, "\(reply)")
      return reply.json["policy"].array.first { $0["key"].string == key }?["value"].string
    }
  }
}
