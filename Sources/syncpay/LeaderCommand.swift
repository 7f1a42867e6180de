import ArgumentParser

/// `syncpay leader`: who leads.
struct LeaderCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leader",
    abstract: "Show the leader, or have it hand over.",
    discussion: """
      Exit codes: 0 done; 1 refused, with the cluster's reason, or no leader is known; 2 no node \
      could be reached, or it is not known whether it was done; 64 the command line is wrong.
      """,
    subcommands: [LeaderShow.self, LeaderTransfer.self],
    defaultSubcommand: LeaderShow.self)
}

/// `syncpay leader show`.
struct LeaderShow: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show who leads, and in which term.",
    discussion: """
      The leader itself is asked where it can be reached.

      With --format json: the node's whole answer to GET /v1/leader.
      """)

  @OptionGroup var nodes: NodeOptions

  func perform() async throws {
    let body = try await nodes.operate { try await $0.look("/v1/leader") }
    switch nodes.format {
    case .json: Terminal.line(body.description)
    case .table:
      guard let leader = body["leader"]?.text else { break }
      let number = body["leader_id"]?.text ?? "?"
      Terminal.line(
        "\(leader) (node \(number)) leads in term \(body["term"]?.text ?? "?")".printable)
    }
    guard body["leader"]?.text != nil else { throw CommandFailure(.refused, "no leader is known.") }
  }
}

/// `syncpay leader transfer`.
struct LeaderTransfer: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "transfer",
    abstract: "Have the leader hand over.",
    discussion: """
      To the node given, or to the one with the longest log. Payments wait while it lasts, and none \
      is lost: well under an election's time where the target is up.

      Example: syncpay leader transfer --to 2
      """)

  @OptionGroup var nodes: NodeOptions

  @Option(help: ArgumentHelp("The voter that shall lead.", valueName: "number"))
  var to: MemberNumber?

  var request: NodeRequest {
    .post("/v1/leader", .object(to.map { [.init(name: "to", value: $0.json)] } ?? []))
  }

  func perform() async throws {
    try await nodes.carryOut(
      request, to.map { "node \($0.value) leads" } ?? "the leader has handed over")
  }
}
