import Glibc
import Testing

extension EndToEnd {
  /// What a read promises: "linearizable" is never old, "local" always answers.
  @Suite struct Consistency {
    @Test func `a balance asked for after a payment at another node has it`() async throws {
      try await withCluster { cluster in
        let connections = try cluster.nodes.map { try HTTPConnection($0.endpoint) }
        for number in 1...200 {
          let order = Order(
            id: "fresh-\(number)", sender: "bank", receiver: "shop", amount: "1.00")
          let paid = try connections[number % 3].request(
            "POST", "/payment", body: Array(order.body.utf8))
          try #require(paid.status == 200, "\(paid)")
          for step in 1...2 {
            let reply = try connections[(number + step) % 3].request(
              "GET", "/get_ledger?account=shop")
            try #require(reply.json["balances", "shop"].digits == "\(number).00", "\(reply)")
            try #require(reply.json["consistency"].string == "linearizable")
          }
          let found = try connections[(number + 1) % 3].request(
            "GET", "/transactions/fresh-\(number)?consistency=linearizable")
          try #require(found.json["status"].string == "applied", "\(found)")
        }
      }
    }

    @Test func `a node cut off refuses what must be new and tells what it has`() async throws {
      try await withCluster { cluster in
        let paid = try cluster.nodes[0].post(
          #"{"transaction_id":"cut","sender":"bank","receiver":"shop","amount":7}"#)
        try #require(paid.status == 200, "\(paid)")
        try cluster.waitForAgreement()
        // First the leader is left alone, which may think for a moment that it leads; then another.
        let leader = try cluster.waitForLeader()
        let follower = try #require(cluster.nodes.first { $0.number != leader.number })
        for alone in [leader, follower] {
          let others = cluster.nodes.filter { $0.number != alone.number }
          for node in others { try node.pause() }
          for target in [
            "/get_ledger", "/transactions?consistency=linearizable",
            "/transactions/cut?consistency=linearizable", "/status?consistency=linearizable",
          ] {
            // The connection's timeout is the bound.
            let reply = try alone.get(target, timeoutMilliseconds: 8000)
            try #require(reply.status == 503, "\(alone.name) \(target): \(reply)")
            try #require(reply.json["code"].string == "read_unconfirmed", "\(reply)")
            try #require(reply.headers["retry-after"] != nil, "\(reply)")
          }
          let local = try alone.get("/get_ledger?account=shop&consistency=local")
          try #require(local.status == 200, "\(local)")
          try #require(local.json["balances", "shop"].digits == "7.00", "\(local)")
          try #require(local.json["consistency"].string == "local")
          try #require(try alone.get("/transactions/cut").status == 200)
          try #require(try alone.get("/v1/members").json["members"].array.count == 3)
          for node in others { node.signal(SIGCONT) }
          _ = try cluster.waitForLeader()
        }
        let healed = try follower.get("/get_ledger?account=shop")
        try #require(healed.json["balances", "shop"].digits == "7.00", "\(healed)")
      }
    }
  }
}
