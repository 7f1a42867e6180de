import ArgumentParser

/// `syncpay members`: who takes part in the cluster.
struct MembersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "members",
    abstract: "Show and change who takes part in the cluster.",
    discussion: """
      Every change is an event in the log, agreed by a majority. A new node joins as a learner: it \
      gets the log and decides nothing. When it has caught up it is promoted to a voter. A node's \
      number is never used twice: a node whose disk is gone comes back under a new number.

      Any node takes the request and passes it on to the leader. It is repeated until --timeout \
      while there is no leader, an earlier change is under way, or the learner has not caught up.

      Exit codes: 0 done; 1 refused, with the cluster's reason; 2 no node could be reached, or it \
      is not known whether it was done; 64 the command line is wrong.
      """,
    subcommands: [
      MembersList.self, MembersAdd.self, MembersPromote.self, MembersDemote.self,
      MembersRemove.self, MembersReplace.self,
    ],
    defaultSubcommand: MembersList.self)
}

/// A node's number on the command line.
struct MemberNumber: ExpressibleByArgument, Equatable, Sendable {
  /// Most that a node's number can be.
  static let max = 1023

  let value: Int

  init?(argument: String) {
    guard let value = Int(argument), (1...Self.max).contains(value) else { return nil }
    self.value = value
  }

  var json: JSONValue { .number(String(value)) }
}

extension NodeRequest {
  /// `POST /v1/members`.
  static func members(_ action: String, _ fields: [(String, JSONValue?)]) -> NodeRequest {
    let given = fields.compactMap { name, value in
      value.map { JSONValue.Member(name: name, value: $0) }
    }
    return .post("/v1/members", .object([.init(name: "action", value: .string(action))] + given))
  }
}

/// `syncpay members list`.
struct MembersList: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Show the members, their roles and how far each has the log.",
    discussion: """
      Roles: voter, learner, and outgoing for a voter that leaves while the change is under way. \
      MATCH is the highest index known to be on the node's disk and LAG the batches it lacks; only \
      the leader knows them, so it is asked where it can be reached.

      With --format json: the node's whole answer to GET /v1/members.
      """)

  @OptionGroup var nodes: NodeOptions

  func perform() async throws {
    let body = try await nodes.operate { try await $0.look("/v1/members") }
    guard nodes.format == .table else { return Terminal.line(body.description) }
    Self.table(body).show()
    if body["changing"]?.bool == true { Terminal.note("A change of voters is under way.") }
    if body["leader"]?.text == nil { Terminal.note("No leader is known.") }
  }

  static func table(_ body: JSONValue) -> Table {
    var table = Table([
      .init("id", .right), .init("name"), .init("role"), .init("state"), .init("match", .right),
      .init("lag", .right), .init("peer"), .init("client"),
    ])
    for member in body["members"]?.elements ?? [] {
      let isLeader = member["id"]?.text != nil && member["id"] == body["leader_id"]
      table.add([
        member["id"]?.text ?? "-", member["name"]?.text ?? "-",
        (member["role"]?.text ?? "-") + (isLeader ? ", leader" : ""),
        member["health"]?.text ?? "-", member["match_index"]?.text ?? "-",
        member["lag_batches"]?.text ?? "-", member["peer"]?.text ?? "-",
        member["client"]?.text ?? "-",
      ])
    }
    return table
  }
}

/// `syncpay members add`.
struct MembersAdd: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add a new node as a learner.",
    discussion: """
      The node may be started before or after, with cluster.join = true, an empty data directory, \
      and a number greater than every number that a node of this cluster ever had. It is fed the \
      log from its first batch.

      Example: syncpay members add 4 --peer 10.0.0.4:6001 --client 10.0.0.4:5001
      """)

  @OptionGroup var nodes: NodeOptions

  @Argument(help: "The new node's number.")
  var id: MemberNumber

  @Option(help: ArgumentHelp("Its listener for the other nodes.", valueName: "host:port"))
  var peer: String

  @Option(help: ArgumentHelp("Its listener for clients.", valueName: "host:port"))
  var client: String?

  var request: NodeRequest {
    .members(
      "add", [("id", id.json), ("peer", .string(peer)), ("client", client.map { .string($0) })])
  }

  func perform() async throws {
    try await nodes.carryOut(request, "node \(id.value) is a learner")
  }
}

/// `syncpay members promote`.
struct MembersPromote: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "promote",
    abstract: "Make a learner that has caught up a voter.",
    discussion: """
      Asks again until --timeout while the learner has not caught up, so that a script can add and \
      promote in two lines.

      Example: syncpay members promote 4 --timeout 600
      """)

  @OptionGroup var nodes: NodeOptions

  @Argument(help: "The learner's number.")
  var id: MemberNumber

  func perform() async throws {
    try await nodes.carryOut(.members("promote", [("id", id.json)]), "node \(id.value) is a voter")
  }
}

/// `syncpay members demote`.
struct MembersDemote: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "demote",
    abstract: "Make a voter a learner.",
    discussion: """
      It goes on to get the log and to answer clients, and decides nothing.

      Example: syncpay members demote 4
      """)

  @OptionGroup var nodes: NodeOptions

  @Argument(help: "The voter's number.")
  var id: MemberNumber

  func perform() async throws {
    try await nodes.carryOut(.members("demote", [("id", id.json)]), "node \(id.value) is a learner")
  }
}

/// `syncpay members remove`.
struct MembersRemove: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Take a node out of the cluster, whatever it is.",
    discussion: """
      The leader may be removed: it hands over when the change is committed. A removed node keeps \
      its files and takes no more payments; stop it. Its number is never used again.

      Example: syncpay members remove 3
      """)

  @OptionGroup var nodes: NodeOptions

  @Argument(help: "The node's number.")
  var id: MemberNumber

  func perform() async throws {
    try await nodes.carryOut(
      .members("remove", [("id", id.json)]), "node \(id.value) is a member no more")
  }
}

/// `syncpay members replace`.
struct MembersReplace: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "replace",
    abstract: "Put a learner that has caught up in a voter's place.",
    discussion: """
      One change, so that the number of voters stays the same throughout; the old node may be dead.

      Example: syncpay members replace 3 --with 4
      """)

  @OptionGroup var nodes: NodeOptions

  @Argument(help: "The number of the voter that leaves.")
  var id: MemberNumber

  @Option(help: ArgumentHelp("The learner that takes its place.", valueName: "number"))
  var with: MemberNumber

  func perform() async throws {
    try await nodes.carryOut(
      .members("replace", [("id", id.json), ("with", with.json)]),
      "node \(with.value) is a voter in the place of node \(id.value)")
  }
}
