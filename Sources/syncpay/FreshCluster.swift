import FoundationEssentials
import Glibc

/// A cluster of its own for a demonstration: copies of the node files with data under one directory,
/// and with other ports where theirs are taken.
enum FreshCluster {
  /// Marks a directory that a demonstration made and may therefore empty.
  static let marker = ".syncpay-demo"

  /// Makes the directory ready and writes the files.
  ///
  /// - Throws: `CommandFailure` when the directory holds something else, or nodes run in it.
  static func prepare(
    from configs: String, in directory: String, daemon: String?
  ) throws(CommandFailure) -> LoopbackCluster {
    let files = try NodeFile.all(in: configs)
    let root = Files.absolute(directory)
    try empty(root, names: files.map(\.name))
    try Files.makeDirectory(root + "/configs")
    try Files.write("", to: root + "/" + marker)
    let ports = Ports.choose(for: files)
    for (place, file) in files.enumerated() {
      let members = ports.peers.enumerated().map { other, port in
        JSONValue.string("\(files[other].id)=127.0.0.1:\(port)")
      }
      let document = file.document
        .setting(["node", "data_directory"], to: .string("\(root)/\(file.name)/data"))
        .setting(["cluster", "members"], to: .array(members))
        .setting(["http", "host"], to: .string("127.0.0.1"))
        .setting(["http", "port"], to: .number(String(ports.http[place])))
      let name = file.path.split(separator: "/").last.map(String.init) ?? "\(file.name).json"
      try Files.write(document.pretty() + "\n", to: "\(root)/configs/\(name)")
    }
    return try LoopbackCluster(configs: root + "/configs", directory: root, daemon: daemon)
  }

  private static func empty(_ root: String, names: [String]) throws(CommandFailure) {
    let found = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    guard !found.isEmpty else { return }
    guard found.contains(marker) else {
      throw CommandFailure(
        .usage, "\(root) holds something that is not a demo's; name another with --directory.")
    }
    if let old = try? LoopbackCluster(configs: root + "/configs", directory: root, daemon: nil),
      let running = old.files.first(where: { old.pid($0) != nil })
    {
      throw CommandFailure(.refused, "\(running.name) of an earlier demo still runs in \(root).")
    }
    for name in found where name != marker {
      try? FileManager.default.removeItem(atPath: root + "/" + name)
    }
  }
}

extension JSONValue {
  fileprivate func setting(_ path: [String], to value: JSONValue) -> JSONValue {
    setting(path[...], to: value)
  }
}

/// The ports of a loopback cluster.
private struct Ports {
  let http: [Int]
  let peers: [Int]

  /// The files' own HTTP ports and peer ports if all of them are free, else ports the kernel gives.
  static func choose(for files: [NodeFile]) -> Ports {
    let http = files.map(\.port)
    let peers = files.map { peerPort(of: $0) ?? 1_000 + $0.port }
    let isFree = (http + peers).allSatisfy { port in
      guard let held = bound(port) else { return false }
      close(held.descriptor)
      return true
    }
    if isFree && Set(http + peers).count == 2 * files.count {
      return Ports(http: http, peers: peers)
    }
    let held = (0..<2 * files.count).compactMap { _ in bound(0) }
    defer { held.forEach { close($0.descriptor) } }
    guard held.count == 2 * files.count else { return Ports(http: http, peers: peers) }
    Terminal.note("Some of the ports of the node files are taken; the demo uses others.")
    return Ports(
      http: held.prefix(files.count).map(\.port), peers: held.suffix(files.count).map(\.port))
  }

  private static func peerPort(of file: NodeFile) -> Int? {
    let members = file.document["cluster"]?["members"]?.elements ?? []
    let own = members.compactMap(\.text).first { $0.hasPrefix("\(file.id)=") }
    return own?.split(separator: ":").last.flatMap { Int($0) }
  }

  /// A socket bound to a port of the loopback interface; 0 lets the kernel choose.
  private static func bound(_ port: Int) -> (descriptor: Int32, port: Int)? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return nil }
    var reuse: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(descriptor, generic, length) == 0 && listen(descriptor, 1) == 0
          ? getsockname(descriptor, generic, &length) : -1
      }
    }
    guard code == 0 else {
      close(descriptor)
      return nil
    }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
  }
}
