import ArgumentParser
import FoundationEssentials

/// How results are printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  case table, json
}

/// How new the answer to a read must be.
enum Consistency: String, ExpressibleByArgument, CaseIterable, Sendable {
  case local, linearizable
}

/// Where a node answers, and the name the person knows it by.
struct NodeAddress: Equatable, Sendable {
  let url: String
  /// The name in its configuration file; the URL where it is not known.
  let name: String

  init(url: String, name: String? = nil) {
    self.url = url
    self.name = name ?? url
  }

  /// Accepts `http://host:port`, `https://…` and a bare `host:port`; `nil` for anything else.
  init?(typed text: String) {
    var url = text.contains("://") ? text : "http://" + text
    while url.hasSuffix("/") { url.removeLast() }
    guard let scheme = url.firstRange(of: "://"),
      ["http", "https"].contains(url[..<scheme.lowerBound])
    else { return nil }
    let host = url[scheme.upperBound...]
    guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
      !host.contains(where: { "/?#@".contains($0) })
    else { return nil }
    self.init(url: url)
  }
}

/// The options of every command that talks to nodes.
struct NodeOptions: ParsableArguments {
  static let defaultURLs = [
    "http://127.0.0.1:5001", "http://127.0.0.1:5002", "http://127.0.0.1:5003",
  ]

  @Option(
    name: .customLong("node"),
    help: ArgumentHelp(
      "A node's URL; may be given several times.", valueName: "url"))
  var urls: [String] = []

  @Option(
    help: ArgumentHelp(
      "Take the nodes from the node*.json files of this directory.", valueName: "directory"))
  var cluster: String?

  @Option(help: "How results are printed: table or json.")
  var format: OutputFormat = .table

  @Option(
    help: ArgumentHelp(
      "Seconds after which the command gives up, all its tries together.",
      valueName: "seconds"))
  var timeout: Double = 10

  func validate() throws {
    guard timeout > 0, timeout <= 3_600 else {
      throw ValidationError("--timeout must be more than 0 and at most 3600 seconds.")
    }
    for url in urls where NodeAddress(typed: url) == nil {
      throw ValidationError("'\(url)' is not a node's URL; write http://HOST:PORT.")
    }
  }

  var timeoutDuration: Duration { .milliseconds(Int(timeout * 1_000)) }

  /// The nodes this command talks to, by the documented order of sources.
  func addresses(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(CommandFailure) -> [NodeAddress] {
    if !urls.isEmpty { return try Self.addresses(urls, source: "--node") }
    if let cluster { return try NodeFile.all(in: cluster).map(\.address) }
    if let listed = environment["SYNCPAY_NODES"], !listed.isEmpty {
      let urls = listed.split { $0 == "," || $0 == " " }.map(String.init)
      return try Self.addresses(urls, source: "SYNCPAY_NODES")
    }
    return Self.defaultURLs.map { NodeAddress(url: $0) }
  }

  private static func addresses(
    _ urls: [String], source: String
  ) throws(CommandFailure) -> [NodeAddress] {
    var addresses: [NodeAddress] = []
    for url in urls {
      guard let address = NodeAddress(typed: url) else {
        throw CommandFailure(
          .usage, "\(source): '\(url)' is not a node's URL; write http://HOST:PORT.")
      }
      addresses.append(address)
    }
    guard !addresses.isEmpty else { throw CommandFailure(.usage, "\(source) names no node.") }
    return addresses
  }
}
