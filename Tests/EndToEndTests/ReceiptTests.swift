import Foundation
import Testing

extension EndToEnd {
  /// Receipts and proofs of a running cluster, checked by the audit and by an implementation that
  /// shares no code with it.
  @Suite struct Receipts {
    /// A directory for the files of one test.
    private struct Folder: ~Copyable {
      let path = FileManager.default.temporaryDirectory.path + "/syncpay-receipt-\(UUID())"

      init() throws {
        try FileManager.default.createDirectory(
          atPath: path, withIntermediateDirectories: true)
      }

      deinit { try? FileManager.default.removeItem(atPath: path) }

      func write(_ text: String, _ name: String) throws -> String {
        try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
        return "\(path)/\(name)"
      }
    }

    private static let python = ["python3", "/usr/bin/python3"].first {
      (try? run("/usr/bin/env", [$0, "-c", "import cryptography"]))?.status == 0
    }

    /// What another implementation says: nil where it cannot run here.
    private func second(_ arguments: [String]) throws -> CommandResult? {
      guard let python = Self.python else {
        print("skipped: no python3 with the package cryptography")
        return nil
      }
      let tool = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../../tools/verify_evidence.py").standardized.path
      return try run("/usr/bin/env", [python, tool] + arguments)
    }

    private func text(_ node: TestNode, _ target: String) throws -> String {
      let reply = try node.get(target)
      try #require(reply.status == 200, "\(target): \(reply.status) \(reply.body)")
      return reply.body
    }

    private func size(_ checkpoint: String) throws -> Int {
      try #require(Int(checkpoint.split(separator: "\n")[1]))
    }

    @Test func `every node gives receipts that others can check, and they outlive the nodes`()
      async throws
    {
      try await withCluster(["segment.bytes_max": 65_536]) { cluster in
        let folder = try Folder()
        let record = try await load(cluster, label: "receipt", total: 900, clients: 30)
        try requireOnceEverywhere(record, cluster)
        let policy = try folder.write(try text(cluster.nodes[0], "/v1/trust-policy"), "policy")
        for node in cluster.nodes {
          #expect(try text(node, "/v1/trust-policy") == text(cluster.nodes[0], "/v1/trust-policy"))
        }
        let old = try text(cluster.nodes[1], "/v1/checkpoint")
        for (place, id) in record.acknowledged.shuffled().prefix(12).enumerated() {
          let node = cluster.nodes[place % 3]
          let receipt = try folder.write(
            try text(node, "/v1/payments/\(id)/receipt"), "receipt\(place)")
          let audit = try run(
            "syncpay-audit", ["verify-receipt", receipt, "--policy", policy, "--format", "json"])
          try #require(audit.status == 0, "\(audit.errors)")
          let told = try JSON(audit.output)
          #expect(told["transaction_id"].string == id)
          #expect(told["witnesses"].array.count >= 2)
          if let second = try second(["receipt", receipt, policy]) {
            #expect(
              second.status == 0
                && second.output.contains("event \(told["sequence"].digits ?? "-") of"),
              "\(second)")
          }
        }
        _ = try await load(cluster, label: "more", total: 900, clients: 30)
        let oldFile = try folder.write(old, "old")
        let proof = try folder.write(
          try text(cluster.nodes[2], "/v1/consistency?from=\(size(old))"), "proof")
        let consistent = try run(
          "syncpay-audit", ["consistency", oldFile, proof, "--policy", policy])
        #expect(consistent.status == 0, "\(consistent.errors)")
        if let second = try second(["consistency", oldFile, proof, policy]) {
          #expect(second.status == 0, "\(second)")
        }
        let keys = try cluster.nodes[0].get("/status").json["keys"]
        // The keys stay over a restart, and so does what was signed.
        try cluster.restart(cluster.nodes[0])
        try cluster.waitForAgreement()
        #expect(try cluster.nodes[0].get("/status").json["keys"] == keys)
        for copy in try cluster.copies() {
          let verified = try run(
            "syncpay-audit",
            ["verify", copy, "--policy", policy, "--checkpoint", oldFile, "--format", "json"])
          #expect(verified.status == 0, "\(verified.output)")
          let log = try JSON(verified.output)["nodes"].array[0]["log"]
          #expect((log["checkpoints"].integer ?? 0) > 2, "one of each sealed segment")
        }
      }
    }

    @Test func `what is not in the log has no receipt, and what was changed is not proven`()
      async throws
    {
      try await withCluster { cluster in
        let folder = try Folder()
        let node = cluster.nodes[0]
        let paid = try node.post(
          #"{"sender":"a","receiver":"b","amount":5,"transaction_id":"known"}"#)
        try #require(paid.status == 200)
        #expect(try node.get("/v1/payments/unknown/receipt").status == 404)
        #expect(try node.get("/v1/payments/%20/receipt").status == 400)
        #expect(try node.get("/v1/consistency?from=99999").status == 400)
        #expect(try node.get("/v1/consistency?from=x").status == 400)
        #expect(try node.get("/v1/consistency").status == 400)
        let policy = try folder.write(try text(node, "/v1/trust-policy"), "policy")
        let receipt = try text(cluster.nodes[1], "/v1/payments/known/receipt")
        let changed = try folder.write(
          receipt.replacingOccurrences(of: "index ", with: "index 1"), "changed")
        let audit = try run("syncpay-audit", ["verify-receipt", changed, "--policy", policy])
        #expect(audit.status == 1 && audit.errors.contains("not in the log"), "\(audit)")
        if let second = try second(["receipt", changed, policy]) { #expect(second.status == 1) }
        let rubbish = try run("syncpay-audit", ["verify-receipt", policy, "--policy", policy])
        #expect(rubbish.status == 1)
        let missing = try run(
          "syncpay-audit", ["verify-receipt", "\(folder.path)/none", "--policy", policy])
        #expect(missing.status == 2)
        // One node's word is not enough for the policy.
        let lines = receipt.split(separator: "\n", omittingEmptySubsequences: false)
        let few = try folder.write(
          lines.filter { !$0.contains("/node2 ") && !$0.contains("/node3 ") }
            .joined(separator: "\n"), "few")
        let fewer = try run("syncpay-audit", ["verify-receipt", few, "--policy", policy])
        #expect(fewer.status == 1 && fewer.errors.contains("fewer trusted nodes"), "\(fewer)")
      }
    }

    @Test func `without a majority nothing new is signed, and what was signed is still proven`()
      async throws
    {
      try await withCluster { cluster in
        let node = cluster.nodes[0]
        let paid = try node.post(
          #"{"sender":"a","receiver":"b","amount":5,"transaction_id":"known"}"#)
        try #require(paid.status == 200)
        let receipt = try text(node, "/v1/payments/known/receipt")
        cluster.nodes[1].kill()
        cluster.nodes[2].kill()
        #expect(try text(node, "/v1/payments/known/receipt").hasPrefix(receipt.prefix(40)))
        let missing = try node.get("/v1/payments/other/receipt", timeoutMilliseconds: 15_000)
        #expect(missing.status == 503)
        try cluster.restart(cluster.nodes[1], cluster.nodes[2])
      }
    }
  }
}
