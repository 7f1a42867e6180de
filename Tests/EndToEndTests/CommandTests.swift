import Foundation
import Testing

extension EndToEnd {
  /// The commands against running nodes, and stock tools against their files.
  @Suite struct Commands {
    @Test func `syncpay pays, lists and tells, and its exit status tells too`() async throws {
      try await SharedCluster.use { cluster in
        let nodes = cluster.nodes.flatMap { ["--node", "http://127.0.0.1:\($0.httpPort)"] }
        let mark = UUID().uuidString.prefix(8)
        let pay =
          ["pay", "--from", "cli-\(mark)", "--to", "shop-\(mark)", "--amount", "150.75"] + nodes
        let paid = try run("syncpay", pay + ["--format", "json"])
        try #require(paid.status == 0, "\(paid)")
        try #require(paid.json["amount"].digits == "150.75", "\(paid)")
        let id = try #require(paid.json["transaction_id"].string)
        let again = try run("syncpay", pay + ["--id", id])
        try #require(again.status == 0, "\(again)")
        try #require(again.output.contains("recorded before"), "\(again)")
        let refused = try run(
          "syncpay", ["pay", "--from", "a", "--to", "a", "--amount", "1"] + nodes)
        try #require(refused.status == 1, "\(refused)")
        try #require(refused.errors.contains("different"), "\(refused)")
        let usage = try run(
          "syncpay", ["pay", "--from", "a", "--to", "b", "--amount", "x"] + nodes)
        try #require(usage.status == 64, "\(usage)")
        let balance = try run("syncpay", ["balance", "shop-\(mark)", "--format", "json"] + nodes)
        try #require(balance.status == 0, "\(balance)")
        try #require(balance.json["balance"].string == "150.75", "\(balance)")
        let list = try run(
          "syncpay",
          ["transactions", "--account", "cli-\(mark)", "--all", "--format", "json"] + nodes)
        try #require(list.status == 0 && list.lines.count == 1, "\(list)")
        try #require(list.output.contains(id))
        let status = try run("syncpay", ["status"] + nodes)
        try #require(status.status == 0, "\(status)")
        for node in cluster.nodes { try #require(status.output.contains(node.name), "\(status)") }
      }
    }

    @Test func `syncpay ends with 2 where no node answers`() throws {
      let ports = try freePorts(2)
      let nodes = ports.flatMap { ["--node", "http://127.0.0.1:\($0)"] } + ["--timeout", "2"]
      let status = try run("syncpay", ["status"] + nodes)
      try #require(status.status == 2, "\(status)")
      let paid = try run("syncpay", ["pay", "--from", "a", "--to", "b", "--amount", "1"] + nodes)
      try #require(paid.status == 2, "\(paid)")
      try #require(paid.errors.contains("--id"), "the id must be told: \(paid)")
    }

    @Test(.enabled(if: Self.lz4 != nil, "the command lz4 is not installed"))
    func `lz4 prints the records of live and of sealed segments`() async throws {
      let lz4 = try #require(Self.lz4)
      try await SharedCluster.use { cluster in
        let record = try await load(
          cluster, label: "lz4-\(UUID().uuidString.prefix(8))", total: 600, clients: 30)
        try #require(record.others.isEmpty, "\(record.others.prefix(3))")
        let (node, id) = (cluster.nodes[0], try #require(record.acknowledged.last))
        try cluster.waitForAgreement()
        try #require(try node.sealedSegments().count >= 1)
        let names = try node.segments()
        var printed = ""
        for name in names {
          let result = try run(lz4, ["-dc", node.data + "/log/" + name])
          try #require(result.status == 0, "\(name): \(result.errors)")
          printed += result.output
        }
        try #require(printed.contains(id))
      }
    }

    @Test func `the audit reads beside running nodes and names what it cannot read`() async throws {
      try await SharedCluster.use { cluster in
        let directories = cluster.nodes.map(\.data)
        _ = try await load(
          cluster, label: "live-\(UUID().uuidString.prefix(8))", total: 300, clients: 10
        ) { _ in
          for command in ["verify", "ledger", "skew", "timeline", "replay"] {
            let result = try run("syncpay-audit", [command, "--format", "json"] + directories)
            try #require(result.status == 0, "\(command): \(result.errors)")
          }
        }
        let missing = try run("syncpay-audit", ["verify", "/nonexistent/node"])
        try #require(missing.status == 2, "\(missing)")
        try #require(missing.description.contains("/nonexistent/node"), "\(missing)")
      }
    }

    @Test func `syncpayd names the setting that is wrong and does not start`() async throws {
      try await withCluster(nodes: 1, isStarted: false) { cluster in
        let file = cluster.nodes[0].configuration
        for (flag, word) in [
          ("http.port=0", "http.port"), ("http.prot=1", "http.port"),
          ("raft.heartbeat_milliseconds=many", "raft.heartbeat_milliseconds"),
          ("raft.election_milliseconds_max=200", "raft.election_milliseconds_max"),
        ] {
          let result = try run("syncpayd", ["--config", file, "--set", flag, "--check"])
          try #require(result.status == 1, "\(flag): \(result)")
          try #require(result.errors.contains(word), "\(flag): \(result)")
        }
        try #require(try run("syncpayd", ["--config", file, "--check"]).status == 0)
        try #require(try run("syncpayd", ["--config", "/nonexistent.json"]).status == 1)
      }
    }

    static let lz4: String? = ["/usr/bin/lz4", "/usr/local/bin/lz4", "/bin/lz4"].first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }
}
