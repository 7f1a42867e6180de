import ArgumentParser

/// `syncpay policy`: the rules that all nodes follow.
struct PolicyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy",
    abstract: "Show and set the rules that all nodes follow.",
    discussion: """
      Rules are events in the log, so that no two nodes can have different ones. A rule holds from \
      its event on.

      Exit codes: 0 done; 1 refused, with the cluster's reason; 2 no node could be reached, or it \
      is not known whether it was done; 64 the command line is wrong.
      """,
    subcommands: [PolicyGet.self, PolicySet.self],
    defaultSubcommand: PolicyGet.self)
}

/// `syncpay policy get`.
struct PolicyGet: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "get",
    abstract: "Show one rule, or all.",
    discussion: """
      With a key: its value alone. A rule that nobody has set has its default; where that is '-', \
      each leader follows its own settings.

      With --format json: one object per rule and line.

      Example: syncpay policy get segment.bytes
      """)

  @OptionGroup var nodes: NodeOptions

  @Argument(help: "The rule; all when none is given.")
  var key: String?

  func perform() async throws {
    let body = try await nodes.operate { try await $0.look("/v1/policy") }
    let rules = try Self.rules(body, key: key)
    switch nodes.format {
    case .json: for rule in rules { Terminal.line(rule.description) }
    case .table:
      guard key == nil else {
        for rule in rules { Terminal.line((rule["value"]?.text ?? "-").printable) }
        return
      }
      Self.table(rules).show()
    }
  }

  static func rules(_ body: JSONValue, key: String?) throws(CommandFailure) -> [JSONValue] {
    let all = body["policy"]?.elements ?? []
    guard let key else { return all }
    let chosen = all.filter { $0["key"]?.text == key }
    guard !chosen.isEmpty else {
      let known = all.compactMap { $0["key"]?.text }.joined(separator: ", ")
      throw CommandFailure(.usage, "there is no rule '\(key.printable)'; there are: \(known).")
    }
    return chosen
  }

  static func table(_ rules: [JSONValue]) -> Table {
    var table = Table([.init("rule"), .init("value", .right), .init("set"), .init("values")])
    for rule in rules {
      table.add([
        rule["key"]?.text ?? "-", rule["value"]?.text ?? "-",
        rule["set"]?.bool == true ? "yes" : "no", rule["values"]?.text ?? "-",
      ])
    }
    return table
  }
}

/// `syncpay policy set`.
struct PolicySet: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "set",
    abstract: "Set a rule for all nodes.",
    discussion: """
      'syncpay policy get' lists the rules and what each may be.

      Example: syncpay policy set segment.bytes 8388608
      """)

  @OptionGroup var nodes: NodeOptions

  @Argument(help: "The rule.")
  var key: String

  @Argument(help: "Its value: a number, or one of its names.")
  var value: String

  var request: NodeRequest {
    .post(
      "/v1/policy",
      .object([
        .init(name: "key", value: .string(key)), .init(name: "value", value: .string(value)),
      ]))
  }

  func perform() async throws {
    try await nodes.carryOut(request, "\(key) is \(value)".printable)
  }
}
