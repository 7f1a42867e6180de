import Foundation
import Testing

extension EndToEnd {
  /// The HTTP API of the original system, with its field names and types.
  @Suite struct API {
    @Test(arguments: ["/payment", "/pay"])
    func `a payment is answered with the original's fields and the event`(path: String)
      async throws
    {
      try await SharedCluster.use { cluster in
        let node = cluster.nodes[0]
        let body = "{\"amount\":150.75,\"sender\":\"alice\",\"receiver\":\"bob\"}"
        let reply = try HTTPConnection(port: node.httpPort).request(
          "POST", path, body: Array(body.utf8))
        try #require(reply.status == 200, "\(reply)")
        try #require(reply.headers["content-type"]?.hasPrefix("application/json") == true)
        let json = reply.json
        try #require(
          Array(json.keys.prefix(7)) == [
            "status", "transaction_id", "timestamp", "amount", "sender", "receiver",
            "processed_by",
          ])
        try #require(json["status"] == .string("success"))
        try #require(json["transaction_id"].string?.hasPrefix("txn_") == true)
        try #require(json["timestamp"].double ?? 0 > 1_700_000_000)
        try #require(json["timestamp"].digits?.contains(".") == true)
        try #require(json["amount"] == .number("150.75"))
        try #require(json["sender"] == .string("alice"))
        try #require(json["receiver"] == .string("bob"))
        try #require(json["processed_by"] == .string("node1"))
        try #require(json["currency"] == .string("USD"))
        try #require(json["event", "sequence"].integer ?? 0 > 0)
        try #require(json["event", "index"].integer ?? 0 > 0)
        try #require(json["event", "stamp", "hlc", "wall"].string != nil)
      }
    }

    @Test func `the other endpoints are answered with the original's fields`() async throws {
      try await SharedCluster.use { cluster in
        for node in cluster.nodes {
          let ping = try node.get("/ping")
          try #require(ping.body == "{\"status\":\"ok\",\"node_id\":\"\(node.name)\"}")
          let health = try node.get("/health").json
          try #require(
            Array(health.keys.prefix(5)) == [
              "node_id", "status", "is_leader", "timestamp", "transaction_count",
            ])
          try #require(health["node_id"].string == node.name)
          try #require(health["status"].string != nil && health["is_leader"].bool != nil)
          try #require(health["timestamp"].double ?? 0 > 1_700_000_000)
          try #require(health["transaction_count"].integer != nil)
          let status = try node.get("/status").json
          try #require(status["node_id"].string == node.name)
          try #require(status["is_leader"].bool != nil)
          try #require(status["peer_health"].members.count == 2)
          for peer in status["peer_health"].members {
            try #require(["healthy", "suspect", "down"].contains(peer.value["status"].string))
            try #require(peer.value["last_seen"].double != nil)
          }
          try #require(status["replication_status"].members.count > 0)
          try #require(status["time_offset"].double != nil)
          for key in ["term", "commit_index", "applied_index", "transaction_count"] {
            try #require(status[key].integer ?? -1 >= 0, "\(key)")
          }
          try #require(status["leader"].string != nil)
          try #require(status["clock", "status"].string != nil)
          try #require(status["clock", "bound"].double ?? 0 > 0)
          try #require(status["ledger_digest"].string?.count == 64)
        }
        let leaders = cluster.nodes.filter { $0.status()?["is_leader"].bool == true }
        try #require(leaders.count == 1)
      }
    }

    @Test func `transactions are listed in pages, by account and by time`() async throws {
      try await SharedCluster.use { cluster in
        let node = cluster.nodes[1]
        let account = "lister-\(UUID().uuidString.prefix(8))"
        var times: [String] = []
        for number in 0..<25 {
          let reply = try node.post(
            "{\"amount\":\(number + 1),\"sender\":\"\(account)\",\"receiver\":\"shop\"}")
          try #require(reply.status == 200, "\(reply)")
          times.append(try #require(reply.json["timestamp"].digits))
        }
        let page = try node.get("/transactions?account=\(account)&limit=10&order=asc").json
        try #require(page.keys.contains("total_count") && page.keys.contains("node_id"))
        try #require(page["node_id"].string == "node2")
        try #require(page["total_count"].integer ?? 0 >= 25)
        try #require(page["transactions"].array.count == 10)
        try #require(page["next_cursor"].string != nil)
        let all = try node.transactions("&account=\(account)", pageLimit: 10)
        try #require(all.map { $0["amount"].double } == (1...25).map { Double($0) })
        let newest = try node.get("/transactions?account=\(account)&limit=3").json
        let amounts = newest["transactions"].array.map { $0["amount"].double }
        try #require(amounts == [25, 24, 23] || amounts == [1, 2, 3], "\(amounts)")
        let some = try node.transactions(
          "&account=\(account)&from=\(times[5])&to=\(times[15])")
        try #require(some.count == 10, "\(some.count) from \(times[5]) to \(times[15])")
        // The other nodes list the same, and name who took the payment.
        try cluster.waitForAgreement()
        let other = try cluster.nodes[2].transactions("&account=\(account)")
        try #require(other == all)
        try #require(all.allSatisfy { $0["processed_by"].string == "node2" })
      }
    }

    @Test func `money is exact`() async throws {
      try await SharedCluster.use { cluster in
        let node = cluster.nodes[2]
        let mark = UUID().uuidString.prefix(8)
        func pay(_ amount: String, _ currency: String? = nil) throws -> HTTPReply {
          let currency = currency.map { ",\"currency\":\"\($0)\"" } ?? ""
          return try node.post(
            "{\"amount\":\(amount),\"sender\":\"payer-\(mark)\",\"receiver\":\"payee-\(mark)\""
              + "\(currency)}")
        }
        func balance(_ currency: String) throws -> String? {
          let ledger = try node.get("/get_ledger?account=payee-\(mark)").json
          return ledger["balances_by_currency", currency, "payee-\(mark)"].digits
        }
        for _ in 0..<3 {
          let reply = try pay("0.1")
          try #require(reply.json["amount"].digits == "0.10", "\(reply)")
        }
        try #require(try balance("USD") == "0.30")
        try #require(try pay("150.75").json["amount"].digits == "150.75")
        try #require(try balance("USD") == "151.05")
        try #require(try pay("1e3").json["amount"].digits == "1000.00")
        try #require(try pay("0.000001e4").json["amount"].digits == "0.01")
        try #require(try pay("1000000.00").json["amount"].digits == "1000000.00")
        try #require(try pay("12.340000000000000000000000").status == 200)
        try #require(try pay("12.340000000000000000000001").status == 400)
        try #require(try balance("USD") == "1001163.40")
        try #require(try pay("500", "JPY").json["amount"].digits == "500")
        try #require(try balance("JPY") == "500")
        try #require(try pay("1.234", "KWD").json["amount"].digits == "1.234")
        try #require(try balance("KWD") == "1.234")
        try #require(try pay("0.5", "JPY").json["code"].string == "amount_too_precise")
        let payer = try node.get("/get_ledger?account=payer-\(mark)").json
        try #require(payer["balances", "payer-\(mark)"].digits == "-1001163.40")
      }
    }

    // The original recorded six identical retries six times.
    @Test func `six identical retries at once over all nodes are recorded once`() async throws {
      try await SharedCluster.use { cluster in
        let order = Order.random("six-\(UUID().uuidString.prefix(8))", 1)
        let answers = try await withThrowingTaskGroup(of: (String, HTTPReply).self) { group in
          for number in 0..<6 {
            let node = cluster.nodes[number % 3]
            group.addTask { (node.name, try node.post(order.body)) }
          }
          return try await group.reduce(into: []) { $0.append($1) }
        }
        let replies = answers.map(\.1)
        try #require(replies.allSatisfy { $0.status == 200 }, "\(replies)")
        for key in ["transaction_id", "timestamp", "amount", "sender", "receiver", "processed_by"] {
          try #require(Set(replies.map { "\($0.json[key])" }).count == 1, "\(key): \(replies)")
        }
        try #require(Set(replies.compactMap { $0.json["event", "sequence"].integer }).count == 1)
        // Retries that wait together for the payment at its own node all hear that it is new.
        for (name, reply) in answers where reply.json["event", "duplicate"].bool == false {
          try #require(reply.json["processed_by"].string == name, "\(answers)")
        }
        try cluster.waitForAgreement()
        for node in cluster.nodes {
          let count = try node.transactions("&account=\(order.sender)").filter {
            $0["transaction_id"].string == order.id
          }.count
          try #require(count == 1, "\(node.name) has it \(count) times")
        }
      }
    }

    @Test func `an id with other contents is refused, and an id tells its payment`() async throws {
      try await SharedCluster.use { cluster in
        let mark = UUID().uuidString.prefix(8)
        var order = Order.random("reuse-\(mark)", 1)
        let first = try cluster.nodes[0].post(order.body)
        try #require(first.status == 200)
        try cluster.waitForAgreement()
        order.amount = "7.77"
        for node in cluster.nodes {
          let reused = try node.post(order.body)
          try #require(reused.status == 422, "\(reused)")
          try #require(reused.json["code"].string == "transaction_id_reused")
          try #require(reused.json["field"].string == "transaction_id")
          let known = try node.get("/transactions/\(order.id)")
          try #require(known.status == 200 && known.json["status"].string == "applied")
          try #require(known.json["amount"] == first.json["amount"])
          let unknown = try node.get("/transactions/none-\(mark)")
          try #require(unknown.status == 404)
          try #require(unknown.json["code"].string == "transaction_unknown")
        }
      }
    }

    @Test func `a payment through each node names that node`() async throws {
      try await SharedCluster.use { cluster in
        for node in cluster.nodes {
          let reply = try node.post(
            Order.random("via-\(UUID().uuidString.prefix(8))", node.number).body)
          try #require(reply.status == 200)
          try #require(reply.json["processed_by"].string == node.name)
        }
      }
    }

    @Test func `connections are kept alive and requests may be pipelined`() async throws {
      try await SharedCluster.use { cluster in
        let connection = try HTTPConnection(port: cluster.nodes[0].httpPort)
        for _ in 0..<50 { try #require(try connection.request("GET", "/ping").status == 200) }
        let request = "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"
        try connection.send(String(repeating: request, count: 10))
        for _ in 0..<10 { try #require(try connection.reply().status == 200) }
        let head = try connection.request("HEAD", "/status")
        try #require(head.status == 200 && head.body.isEmpty)
        try #require(try connection.request("GET", "/ping").status == 200)
      }
    }
  }
}
