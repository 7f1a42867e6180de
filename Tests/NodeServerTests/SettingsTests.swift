import Bytes
import Foundation
import Ledger
import Raft
import Replica
import Testing

@testable import NodeServer

@Suite struct SettingsTests {
  private static let members = "cluster.members=1=127.0.0.1:6001,2=127.0.0.1:6002,3=127.0.0.1:6003"

  private func load(
    file: String? = nil, environment: [String: String] = [:], flags: [String] = []
  ) async throws(SettingsProblem) -> NodeSettings {
    var path: String?
    if let file {
      path = NSTemporaryDirectory() + "syncpay-settings-\(UUID().uuidString).json"
      _ = FileManager.default.createFile(atPath: path ?? "", contents: Data(file.utf8))
    }
    defer { if let path { try? FileManager.default.removeItem(atPath: path) } }
    return try await SettingsLoader(file: path, environment: environment, flags: flags).load()
  }

  @Test func `flags win over the environment, the environment over the file`() async throws {
    let file = """
      {"node": {"id": 1}, "http": {"port": 5001}, "raft": {"heartbeat_milliseconds": 40},
       "batch": {"in_flight_max": 3},
       "cluster": {"members": ["1=127.0.0.1:6001", "2=127.0.0.1:6002", "3=[::1]:6003"]}}
      """
    let settings = try await load(
      file: file, environment: ["SYNCPAY_HTTP_PORT": "5002", "SYNCPAY_BATCH_IN_FLIGHT_MAX": "4"],
      flags: ["http.port=5003"])
    #expect(settings[.httpPort] == 5003)
    #expect(settings[.batchesInFlight] == 4)
    #expect(settings[.heartbeat] == 40)
    #expect(settings[.electionMin] == 300)
    #expect(settings.id == NodeID(1))
    #expect(settings.name == "node1")
    #expect(settings.dataDirectory == "data/node1")
    #expect(settings.members.map(\.address.host) == ["127.0.0.1", "127.0.0.1", "::1"])
    #expect(settings.peerBind.port == 6001)
  }

  @Test func `a misspelt key is an error that names the nearest one`() async {
    await #expect(
      throws: SettingsProblem.unknownKey("http.prot", nearest: "http.port")
    ) {
      try await load(file: #"{"http": {"prot": 1}}"#)
    }
  }

  @Test(arguments: [
    (["node.id=1", members, "http.port=0"], "http.port is 0; it must be 1 to 65535"),
    (["node.id=1", members, "http.port=x"], "http.port: must be a whole number, not \"x\""),
    ([members], "node.id must be set"),
    (["node.id=4", members], "node.id is 4, which cluster.members does not name"),
    (["node.id=1", "cluster.members=1:6001"], "cluster.members: \"1:6001\" is not id=host:port"),
    (
      ["node.id=1", "cluster.members=1=a:1,1=b:2"],
      "cluster.members: node 1 is named twice"
    ),
    (["node.id=1", members, "time.servers=a b"], "time.servers: \"a b\" is not host or host:port"),
    (["node.id=1", members, "x"], "\"x\" is not key=value"),
    (
      ["node.id=1", members, "cluster.join=yes"],
      "cluster.join: must be true or false, not \"yes\""
    ),
    (
      ["node.id=1", "cluster.members=1=a:1", "cluster.join=true"],
      "cluster.join needs some node of the running cluster in cluster.members beside this one"
    ),
    (
      ["node.id=1", members, "raft.lease_milliseconds=300"],
      "raft.lease_milliseconds must be less than raft.election_milliseconds_min: a lease that"
        + " outlives an election lets a deposed leader answer"
    ),
    (
      ["node.id=1", members, "raft.election_milliseconds_min=100"],
      "raft.election_milliseconds_min must be more than two heartbeats, in whole ticks of 10 ms, or"
        + " every lost message starts an election"
    ),
    (  // 6 ticks, and 11.
      [
        "node.id=1", members, "raft.heartbeat_milliseconds=51",
        "raft.election_milliseconds_min=103",
      ],
      "raft.election_milliseconds_min must be more than two heartbeats, in whole ticks of 10 ms, or"
        + " every lost message starts an election"
    ),
    (  // Both 31 ticks.
      [
        "node.id=1", members, "raft.election_milliseconds_min=301",
        "raft.election_milliseconds_max=309",
      ],
      "raft.election_milliseconds_max must be more than raft.election_milliseconds_min, in whole"
        + " ticks of 10 ms"
    ),
  ])
  func `what cannot be used is said in a sentence`(flags: [String], sentence: String) async {
    do {
      _ = try await load(flags: flags)
      Issue.record("taken: \(flags)")
    } catch {
      #expect(error.description == sentence)
    }
  }

  @Test func `a node that joins takes no part by its file`() async throws {
    let file = #"{"node": {"id": 3}, "cluster": {"join": true}}"#
    let joining = try await load(file: file, flags: [Self.members]).replica
    #expect(joining.raft.initial == .none)
    // It knows where the others are all the same.
    #expect(joining.members.map(\.id) == [NodeID(1), NodeID(2), NodeID(3)])
    let environment = ["SYNCPAY_CLUSTER_JOIN": "false"]
    let first = try await load(file: file, environment: environment, flags: [Self.members]).replica
    #expect(first.raft.initial.voters.count == 3)
  }

  @Test func `a lease is off unless it is set`() async throws {
    let usual = try await load(flags: ["node.id=1", Self.members]).replica
    #expect(usual.raft.leaseTicks == 0)
    let flags = ["node.id=1", Self.members, "raft.lease_milliseconds=200"]
    #expect(try await load(flags: flags).replica.raft.leaseTicks == 20)
  }

  @Test func `a value of the wrong kind in the file is not silently the default`() async {
    do {
      _ = try await load(
        file: #"{"node": {"id": 1}, "http": {"port": "many"}}"#, flags: [Self.members])
      Issue.record("taken")
    } catch {
      #expect(error.description.hasPrefix("http.port: must be a whole number"))
    }
  }

  /// Regenerate the table with SYNCPAY_WRITE_DOCS=1 in the environment.
  @Test func `the configuration page lists every setting with its default`() throws {
    let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/NodeServer/NodeServer.docc/Configuration.md").standardized
    var text = try String(contentsOf: page, encoding: .utf8)
    if ProcessInfo.processInfo.environment["SYNCPAY_WRITE_DOCS"] != nil {
      let start = try #require(text.range(of: "| key |")?.lowerBound)
      text = text[..<start] + SettingsReference.markdownTable + "\n"
      try text.write(to: page, atomically: true, encoding: .utf8)
    }
    #expect(text.contains(SettingsReference.markdownTable))
  }
}
