import ArgumentParser

/// `syncpay demo config`.
struct DemoConfig: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "Show the nodes' configuration with explanations.",
    discussion: """
      Prints every key of the node files, with what it means and whether the nodes differ in it, \
      and what the running nodes say about themselves. Keys that are not in a file have the \
      node's documented default; flags and environment variables of a node override its file.
      """)

  @OptionGroup var options: ClusterOptions

  func perform() async throws {
    let cluster = try options.cluster()
    let settings = cluster.files.map { Setting.all(in: $0.document) }
    var keys: [String] = []
    for setting in settings.joined() where !keys.contains(setting.key) { keys.append(setting.key) }
    for key in keys {
      Terminal.line("\(key)  \(Setting.meaning(of: key))".printable)
      let values = settings.map { of in of.first { $0.key == key }?.value ?? "(default)" }
      if Set(values).count == 1, values.count > 1 {
        Terminal.line("  all: \(values[0])".printable)
      } else {
        for (file, value) in zip(cluster.files, values) {
          Terminal.line("  \(file.name): \(value)".printable)
        }
      }
    }
    Terminal.line()
    Terminal.line("What the nodes say:")
    let reports = try await NodeClient.with { client in
      await NodeReport.all(of: cluster.addresses, client: client, within: .seconds(2))
    }
    NodeReport.table(reports).show(indent: "  ")
  }
}

/// One key of a node file.
struct Setting: Equatable, Sendable {
  let key: String
  let value: String

  /// The keys of a document with dots between levels, in the order of the file.
  static func all(in document: JSONValue, under prefix: String = "") -> [Setting] {
    (document.members ?? []).flatMap { member in
      let key = prefix.isEmpty ? member.name : "\(prefix).\(member.name)"
      guard member.value.members == nil else { return all(in: member.value, under: key) }
      return [Setting(key: key, value: member.value.text ?? member.value.description)]
    }
  }

  static func meaning(of key: String) -> String {
    meanings[key] ?? "see the operator's guide"
  }

  private static let meanings = [
    "node.id": "the node's number in the cluster; never reused for another node",
    "node.name": "the name in answers (node_id, processed_by), logs and reports",
    "node.data_directory": "where its segments, journal and hard state stand; one node's alone",
    "cluster.name": "nodes of another cluster are turned away by it",
    "cluster.members": "every member as ID=HOST:PORT of its peer port; the same on all nodes",
    "http.host": "the interface clients are served on; 127.0.0.1 is this machine only",
    "http.port": "the port clients are served on",
  ]
}
