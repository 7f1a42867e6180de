import FoundationEssentials

/// What this command needs from a node's configuration file.
struct NodeFile: Equatable, Sendable {
  let path: String
  let id: Int
  let name: String
  let host: String
  let port: Int
  /// As the file says it: relative to the directory the node runs in.
  let dataDirectory: String
  /// The whole document, for showing it and for making a copy with other places and ports.
  let document: JSONValue

  var address: NodeAddress {
    let reachable = ["0.0.0.0", "::", ""].contains(host) ? "127.0.0.1" : host
    let bracketed = reachable.contains(":") ? "[\(reachable)]" : reachable
    return NodeAddress(url: "http://\(bracketed):\(port)", name: name)
  }

  /// Reads a file; a file that cannot be used is the operator's to mend, so it is a usage failure.
  init(path: String) throws(CommandFailure) {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw CommandFailure(.usage, "\(path) cannot be read.")
    }
    let document: JSONValue
    do {
      document = try JSONParser.parse(Array(data))
    } catch {
      throw CommandFailure(.usage, "\(path) is not JSON: \(error.reason), byte \(error.offset).")
    }
    try self.init(path: path, document: document)
  }

  init(path: String, document: JSONValue) throws(CommandFailure) {
    guard let id = document["node"]?["id"]?.integer, id > 0 else {
      throw CommandFailure(.usage, "\(path): node.id is missing or not a number above 0.")
    }
    self.path = path
    self.id = id
    self.document = document
    let given = document["node"]?["name"]?.text ?? ""
    name = given.isEmpty ? "node\(id)" : given
    host = document["http"]?["host"]?.text ?? "127.0.0.1"
    port = document["http"]?["port"]?.integer ?? 5_000
    let directory = document["node"]?["data_directory"]?.text ?? ""
    dataDirectory = directory.isEmpty ? "data/\(name)" : directory
    let isFileName = name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x2F && $0 < 0x7F }
    guard isFileName, !name.hasPrefix(".") else {
      throw CommandFailure(.usage, "\(path): node.name '\(name.printable)' cannot name a file.")
    }
    guard (1...65_535).contains(port) else {
      throw CommandFailure(.usage, "\(path): http.port \(port) is not a port.")
    }
  }

  /// The node files of a directory, `node*.json`, by id.
  static func all(in directory: String) throws(CommandFailure) -> [NodeFile] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
      throw CommandFailure(.usage, "The directory \(directory) cannot be read.")
    }
    var files: [NodeFile] = []
    for name in names.sorted() where name.hasPrefix("node") && name.hasSuffix(".json") {
      files.append(try NodeFile(path: directory + "/" + name))
    }
    files.sort { $0.id < $1.id }
    guard !files.isEmpty else {
      throw CommandFailure(.usage, "There is no node*.json in \(directory).")
    }
    for (one, next) in zip(files, files.dropFirst()) where one.id == next.id {
      throw CommandFailure(.usage, "\(one.path) and \(next.path) have the same node.id.")
    }
    guard Set(files.map(\.name)).count == files.count else {
      throw CommandFailure(.usage, "Two files in \(directory) have the same node.name.")
    }
    return files
  }
}

extension Array<NodeFile> {
  /// The node a person named: by its name or by its number.
  func named(_ text: String) throws(CommandFailure) -> NodeFile {
    guard let file = first(where: { $0.name == text || String($0.id) == text }) else {
      let known = map(\.name).joined(separator: ", ")
      throw CommandFailure(.usage, "There is no node '\(text)'; there are: \(known).")
    }
    return file
  }
}
