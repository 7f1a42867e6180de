import ArgumentParser
import FoundationEssentials
import Glibc
import Testing

@testable import syncpay

@Suite struct `The command line` {
  @Test func `pay sends the digits that were typed`() throws {
    let command = try Syncpay.parseAsRoot([
      "pay", "--from", "alice", "--to", "bob", "--amount", "900000000000.01", "--node",
      "127.0.0.1:5001", "--node", "http://b:1/",
    ])
    let pay = try #require(command as? PayCommand)
    let order = PaymentOrder(
      id: "t", sender: pay.sender, receiver: pay.receiver, amount: pay.amount)
    #expect(
      order.body.description
        == #"{"transaction_id":"t","sender":"alice","receiver":"bob","amount":900000000000.01}"#)
    let urls = try pay.nodes.addresses(environment: [:]).map(\.url)
    #expect(urls == ["http://127.0.0.1:5001", "http://b:1"])
  }

  @Test(arguments: [
    ["pay", "--from", "a", "--to", "b", "--amount", "12.5x"],
    ["pay", "--from", "a", "--to", "b", "--amount", "NaN"],
    ["pay", "--from", "a", "--to", "b"],
    ["status", "--node", "ftp://x"], ["status", "--node", ""], ["status", "--timeout", "0"],
    ["status", "--format", "xml"], ["transactions", "--limit", "0"],
    ["transactions", "--from", "yesterday"], ["cluster", "start", "--wait", "-1"],
    ["demo", "stress", "--clients", "0"], ["nonsense"], ["members", "add", "4"],
    ["members", "add", "0", "--peer", "a:1"], ["members", "remove", "1024"],
    ["members", "remove", "node3"], ["members", "replace", "3"],
    ["leader", "transfer", "--to", "x"], ["policy", "set", "segment.bytes"],
    ["balance", "--consistency", "strong"],
  ])
  func `wrong command lines are usage errors`(_ arguments: [String]) throws {
    do {
      _ = try Syncpay.parseAsRoot(arguments)
      Issue.record("accepted: \(arguments)")
    } catch {
      #expect(Syncpay.exitCode(for: error).rawValue == ExitReason.usage.rawValue)
    }
  }

  @Test func `nodes come from flags, then a directory, then the environment, then defaults`() throws
  {
    let plain = try #require(try Syncpay.parseAsRoot(["status"]) as? StatusCommand).nodes
    #expect(try plain.addresses(environment: [:]).map(\.url) == NodeOptions.defaultURLs)
    let listed = try plain.addresses(environment: ["SYNCPAY_NODES": "a:1, http://b:2"])
    #expect(listed.map(\.url) == ["http://a:1", "http://b:2"])
    #expect(throws: CommandFailure.self) {
      try plain.addresses(environment: ["SYNCPAY_NODES": "a b:x/y"])
    }
    let cluster = try #require(
      try Syncpay.parseAsRoot(["status", "--cluster", configs]) as? StatusCommand)
    #expect(
      try cluster.nodes.addresses(environment: ["SYNCPAY_NODES": "a:1"]).map(\.name)
        == ["node1", "node2", "node3"])
  }

  @Test func `operators' requests are sent as they were typed`() throws {
    let add = try #require(
      try Syncpay.parseAsRoot([
        "members", "add", "4", "--peer", "10.0.0.4:6001", "--client", "10.0.0.4:5001",
      ]) as? MembersAdd)
    #expect(add.request.method == "POST")
    #expect(add.request.path == "/v1/members")
    #expect(
      String(decoding: add.request.body ?? [], as: UTF8.self)
        == #"{"action":"add","id":4,"peer":"10.0.0.4:6001","client":"10.0.0.4:5001"}"#)
    let transfer = try #require(try Syncpay.parseAsRoot(["leader", "transfer"]) as? LeaderTransfer)
    #expect(transfer.request.body == Array("{}".utf8))
    let to = try #require(
      try Syncpay.parseAsRoot(["leader", "transfer", "--to", "2"]) as? LeaderTransfer)
    #expect(to.request.body == Array(#"{"to":2}"#.utf8))
    let set = try #require(
      try Syncpay.parseAsRoot(["policy", "set", "segment.bytes", "8388608"]) as? PolicySet)
    #expect(set.request.path == "/v1/policy")
    #expect(set.request.body == Array(#"{"key":"segment.bytes","value":"8388608"}"#.utf8))
    #expect(try Syncpay.parseAsRoot(["members"]) is MembersList)
    #expect(try Syncpay.parseAsRoot(["leader"]) is LeaderShow)
    #expect(try Syncpay.parseAsRoot(["policy"]) is PolicyGet)
  }

  @Test func `every command has an abstract and a discussion`() {
    func all(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
      [command] + command.configuration.subcommands.flatMap(all)
    }
    for command in all(Syncpay.self) {
      #expect(!command.configuration.abstract.isEmpty, "\(command)")
      #expect(!command.configuration.discussion.isEmpty, "\(command)")
    }
  }

  private var configs: String { repository + "/configs" }
}

@Suite struct `Node files` {
  @Test func `the shipped files describe one loopback cluster`() throws {
    let files = try NodeFile.all(in: repository + "/configs")
    #expect(files.map(\.id) == [1, 2, 3])
    #expect(files.map(\.address.url) == NodeOptions.defaultURLs)
    #expect(files.map(\.dataDirectory) == (1...3).map { "run/node\($0)/data" })
    let members = files.map { $0.document["cluster"]?["members"] }
    #expect(Set(members.map { $0?.description ?? "" }).count == 1)
    for file in files {
      for setting in Setting.all(in: file.document) {
        #expect(
          Setting.meaning(of: setting.key) != Setting.meaning(of: "unknown"), "\(setting.key)")
      }
    }
  }

  @Test(arguments: [
    #"{"node":{"id":0}}"#, #"{"node":{}}"#, "[]", #"{"node":{"id":1,"name":"../x"}}"#,
    #"{"node":{"id":1},"http":{"port":70000}}"#, #"{"node":{"id":1,"name":".x"}}"#,
  ])
  func `a file that cannot be used is a usage failure`(_ text: String) throws {
    let document = try JSONParser.parse(text)
    #expect(throws: CommandFailure.self) { try NodeFile(path: "x", document: document) }
  }

  @Test func `nodes are named by name or number`() throws {
    let files = try NodeFile.all(in: repository + "/configs")
    #expect(try files.named("2") == files[1])
    #expect(try files.named("node3") == files[2])
    #expect(throws: CommandFailure.self) { try files.named("node9") }
  }

  @Test func `an address of all interfaces is reached over loopback`() throws {
    let text = #"{"node":{"id":1},"http":{"host":"0.0.0.0","port":80}}"#
    let file = try NodeFile(path: "x", document: try JSONParser.parse(text))
    #expect(file.address.url == "http://127.0.0.1:80")
  }

  @Test func `a fresh cluster has its own data and spares what is not a demo's`() throws {
    try withDirectory { directory in
      let fresh = try FreshCluster.prepare(
        from: repository + "/configs", in: directory + "/demo", daemon: nil)
      #expect(fresh.files.map(\.name) == ["node1", "node2", "node3"])
      #expect(fresh.files.allSatisfy { $0.dataDirectory.hasPrefix(directory + "/demo/") })
      #expect(Set(fresh.files.map(\.port)).count == 3)
      try Files.write("x", to: directory + "/demo/old")
      _ = try FreshCluster.prepare(
        from: repository + "/configs", in: directory + "/demo", daemon: nil)
      #expect(Files.small(directory + "/demo/old") == nil)
      try Files.write("x", to: directory + "/mine")
      #expect(throws: CommandFailure.self) {
        try FreshCluster.prepare(from: repository + "/configs", in: directory, daemon: nil)
      }
      #expect(Files.small(directory + "/mine") == "x")
    }
  }
}

@Suite struct `Processes` {
  @Test func `a stat line with a hostile name is read`() {
    #expect(
      ProcessState.parse("7 (a) b (c)) S 1 7") == ProcessState(command: "a) b (c)", isEnded: false))
    #expect(ProcessState.parse("7 (x) Z 1")?.isEnded == true)
    #expect(ProcessState.parse("") == nil)
    #expect(ProcessState.parse("7 )x( S") == nil)
  }

  @Test func `a detached child leads its own session and its output is appended`() async throws {
    try await withDirectory { directory in
      let log = directory + "/log"
      try Files.write("before\n", to: log)
      let script = "cut -d' ' -f1,6 /proc/$$/stat; read x || echo empty; echo error >&2; exit 3"
      let pid = try ChildProcess.spawn("/bin/sh", ["-c", script], outputTo: log, detached: true)
      #expect(await ChildProcess.exitCode(of: pid, within: .seconds(20)) == 3)
      #expect(Files.lastLines(9, of: log) == ["before", "\(pid) \(pid)", "empty", "error"])
    }
  }

  @Test func `a pid file that names another program is not a node`() async throws {
    try await withDirectory { directory in
      let cluster = try LoopbackCluster(
        configs: repository + "/configs", directory: directory, daemon: nil)
      let file = cluster.files[0]
      #expect(cluster.pid(file) == nil)
      try Files.write("\(getpid())\n", to: cluster.pidPath(file))
      #expect(cluster.pid(file) == nil)
      #expect(await cluster.kill(file) == nil)
      for text in ["", "-1", "0", "1", "99999999999999999999", "x"] {
        try Files.write(text, to: cluster.pidPath(file))
        #expect(cluster.pid(file) == nil)
      }
    }
  }

  @Test func `a process called syncpayd is found, killed, and found gone`() async throws {
    try await withDirectory { directory in
      let program = directory + "/syncpayd"
      try FileManager.default.copyItem(atPath: "/bin/sleep", toPath: program)
      let cluster = try LoopbackCluster(
        configs: repository + "/configs", directory: directory, daemon: program)
      let file = cluster.files[0]
      let pid = try ChildProcess.spawn(
        program, ["60"], outputTo: directory + "/log", detached: true)
      try Files.write("\(pid)\n", to: cluster.pidPath(file))
      #expect(cluster.pid(file) == pid)
      #expect(throws: CommandFailure.self) { try cluster.launch(file) }
      #expect(await cluster.kill(file) == pid)
      #expect(cluster.pid(file) == nil)
      #expect(Files.small(cluster.pidPath(file)) == nil)
    }
  }

  @Test func `a program that is not there is a usage failure`() {
    #expect(throws: CommandFailure.self) {
      try ChildProcess.spawn("/nowhere/syncpayd", [], outputTo: "/dev/null", detached: true)
    }
  }
}

/// The root of the source tree.
private var repository: String {
  let path = #filePath.split(separator: "/").dropLast(3)
  return path.reduce("") { $0 + "/" + $1 }
}

/// Runs the body with a directory of its own.
private func withDirectory(_ body: (String) throws -> Void) throws {
  let path = try makeDirectory()
  defer { try? FileManager.default.removeItem(atPath: path) }
  try body(path)
}

/// Runs the body with a directory of its own.
private func withDirectory(_ body: (String) async throws -> Void) async throws {
  let path = try makeDirectory()
  defer { try? FileManager.default.removeItem(atPath: path) }
  try await body(path)
}

private func makeDirectory() throws -> String {
  let path = "/tmp/syncpay-test-" + TransactionID.make()
  try Files.makeDirectory(path)
  return path
}
