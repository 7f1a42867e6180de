import Foundation
import Glibc
import Synchronization
import Testing

/// How the network that a cluster runs in is made.
enum TestNetwork: Sendable {
  /// Ports of this host.
  case loopback
  /// A namespace for each node: for tests with the trait `needsNamespaces`.
  case namespaces
  /// A namespace for each node, or ports of this host where that is not permitted.
  case namespacesOrLoopback
  /// As `namespaces`, and what a node sends is late and may be lost.
  case impaired(Impairment)

  /// The network, made; nil for loopback.
  func makeLab(nodes count: Int) throws -> NetworkLab? {
    let impairment: Impairment?
    switch self {
    case .loopback: return nil
    case .namespacesOrLoopback:
      if NetworkLab.obstacle != nil { return nil }
      impairment = nil
    case .namespaces: impairment = nil
    case .impaired(let given): impairment = given
    }
    return try NetworkLab(nodes: count, impairment)
  }
}

/// Skips a test, and says why, where no network can be made.
struct NeedsNamespaces: TestTrait {
  func prepare(for test: Test) async throws {
    if let obstacle = NetworkLab.obstacle { try Test.cancel("\(obstacle)") }
  }
}

extension Trait where Self == NeedsNamespaces {
  static var needsNamespaces: Self { NeedsNamespaces() }
}

/// What befalls each packet that a node sends, to peers and to clients.
struct Impairment: Sendable {
  var delayMilliseconds: Int
  var lossPercent: Int
}

/// A network of its own for one cluster: a namespace for each node (`ip netns`), joined to a bridge
/// by veth pairs. The tests reach the nodes through the bridge.
///
/// One lab at a time: its names hold only this process's id, so that a later run can tell what was
/// left behind by a process that was killed.
final class NetworkLab: Sendable {
  /// Why no lab can be made here, found by making one; nil where it can.
  static let obstacle: String? = {
    do {
      let lab = try NetworkLab(nodes: 1)
      lab.remove()
      return nil
    } catch {
      return "no network namespaces here: "
        + "\(error)".trimmingCharacters(in: .whitespacesAndNewlines)
    }
  }()

  private static let owner = "syncpay-\(getpid())"
  private let count: Int
  /// The third number of the addresses 198.18.x.n, of the range for tests of networks (RFC 2544).
  private let subnet: Int
  private let isImpaired: Bool
  private let relay = Mutex<FrameRelay?>(nil)

  /// Makes the network of nodes 1 to `count`. Precondition: the lab before this one was removed.
  init(nodes count: Int, _ impairment: Impairment? = nil) throws {
    precondition((1...9).contains(count))
    try Self.removeLeftBehind()
    self.count = count
    isImpaired = impairment != nil
    subnet = try Self.freeSubnet()
    Self.current.withLock { $0 = self }
    _ = Self.atExit
    do {
      try Self.ip("link", "add", Self.bridge, "type", "bridge")
      try Self.ip("address", "add", "198.18.\(subnet).254/24", "dev", Self.bridge)
      try Self.ip("link", "set", Self.bridge, "up")
      for number in 1...count { try Self.ip("netns", "add", Self.namespace(number)) }
      try connect(impairment)
      for number in 1...count { try prepare(number) }
    } catch {
      remove()
      throw error
    }
  }

  /// The address of a node.
  func address(_ number: Int) -> String { "198.18.\(subnet).\(number)" }

  /// What stands in front of a command that is to run where the node is.
  func launcher(_ number: Int) -> [String] {
    [Self.ipCommand, "netns", "exec", Self.namespace(number)]
  }

  /// From now on `receiver` gets nothing that `sender` sends: one way only.
  func block(from sender: TestNode, to receiver: TestNode) throws {
    try Self.nft(
      receiver.number, "add rule ip lab input ip saddr \(address(sender.number)) drop")
  }

  /// From now on nothing passes between the nodes of one side and those of the other.
  func separate(_ side: [TestNode], from other: [TestNode]) throws {
    for (one, two) in side.flatMap({ one in other.map { (one, $0) } }) {
      try block(from: one, to: two)
      try block(from: two, to: one)
    }
  }

  /// Everything passes again, at once and whole.
  func heal() throws {
    for number in 1...count { try Self.nft(number, "flush chain ip lab input") }
    guard isImpaired else { return }
    if relay.withLock({ $0?.clean() }) != nil { return }
    for number in 1...count {
      try Self.tc(number, "qdisc", "delete", "dev", "eth0", "root")
    }
  }

  /// Takes the network away, and all that runs in it. Goes on where a step fails: a part may never
  /// have been made.
  func remove() {
    relay.withLock { relay in
      relay?.stop()
      relay = nil
    }
    Self.remove(owner: Self.owner, bridge: Self.bridge)
    Self.current.withLock { $0 = nil }
  }

  // MARK: Making it

  private func connect(_ impairment: Impairment?) throws {
    guard let impairment, !Self.hasNetem else {
      for number in 1...count { try connectByCable(number, impairment) }
      return
    }
    print("This kernel has no tc netem: the test itself delays and drops the nodes' packets.")
    let relay = try FrameRelay(impairment)
    self.relay.withLock { $0 = relay }
    for number in 1...count {
      let (inner, outer) = (Self.port(number) + "i", Self.port(number))
      try relay.add(inner: inner, outer: outer)
      try Self.ip("link", "set", inner, "netns", Self.namespace(number), "name", "eth0")
      try Self.ip("link", "set", outer, "master", Self.bridge, "up")
    }
    relay.start()
  }

  private func connectByCable(_ number: Int, _ impairment: Impairment?) throws {
    let (port, namespace) = (Self.port(number), Self.namespace(number))
    try Self.ip(
      "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    try Self.ip("link", "set", port, "master", Self.bridge, "up")
    guard let impairment else { return }
    try Self.tc(
      number, "qdisc", "add", "dev", "eth0", "root", "netem", "limit", "100000", "delay",
      "\(impairment.delayMilliseconds)ms", "loss", "\(impairment.lossPercent)%")
  }

  private func prepare(_ number: Int) throws {
    let namespace = Self.namespace(number)
    try Self.ip("-n", namespace, "address", "add", address(number) + "/24", "dev", "eth0")
    try Self.ip("-n", namespace, "link", "set", "lo", "up")
    try Self.ip("-n", namespace, "link", "set", "eth0", "up")
    try Self.nft(number, "add table ip lab")
    try Self.nft(number, "add chain ip lab input { type filter hook input priority 0 ; }")
  }

  /// Whether the kernel has the network emulator, found by trying (tc-netem(8)).
  private static let hasNetem: Bool = {
    let device = owner.replacing("syncpay-", with: "spx")
    guard let tc = try? find("tc"),
      (try? ip("link", "add", device, "type", "veth", "peer", "name", device + "p")) != nil
    else { return false }
    defer { try? ip("link", "delete", device) }
    return (try? command(tc, ["qdisc", "add", "dev", device, "root", "netem", "delay", "1ms"]))
      != nil
  }()

  /// A third number that no address of this host has.
  private static func freeSubnet() throws -> Int {
    let taken = try command(ipCommand, ["-4", "address", "show"])
    guard let free = (1...250).shuffled().first(where: { !taken.contains("198.18.\($0).") })
    else { throw HarnessProblem("every 198.18.x.0/24 is taken") }
    return free
  }

  // MARK: Names and commands

  private static var bridge: String { port(0) }

  /// At most fifteen characters, as the kernel wants: process ids have seven digits at most.
  private static func port(_ number: Int) -> String { "sp\(getpid())n\(number)" }

  private static func namespace(_ number: Int) -> String { "\(owner)-\(number)" }

  private static let ipCommand = (try? find("ip")) ?? "/usr/sbin/ip"

  private static func find(_ name: String) throws -> String {
    let places = ["/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"]
    guard let place = places.first(where: { access($0 + name, X_OK) == 0 }) else {
      throw HarnessProblem("the command \(name) is missing")
    }
    return place + name
  }

  @discardableResult
  private static func command(_ path: String, _ arguments: [String]) throws -> String {
    let result = try run(path, arguments)
    guard result.status == 0 else {
      throw HarnessProblem("\(path) \(arguments.joined(separator: " ")): \(result.errors)")
    }
    return result.output
  }

  private static func ip(_ arguments: String...) throws { try command(ipCommand, arguments) }

  private static func tc(_ number: Int, _ arguments: String...) throws {
    try command(try find("tc"), ["-n", namespace(number)] + arguments)
  }

  private static func nft(_ number: Int, _ statement: String) throws {
    try command(
      ipCommand, ["netns", "exec", namespace(number), try find("nft"), statement])
  }

  // MARK: Taking it away

  private static let current = Mutex<NetworkLab?>(nil)
  private static let atExit: Void = {
    _ = atexit { NetworkLab.current.withLock { $0 }?.remove() }
  }()

  private static func namespaces() throws -> [String] {
    let names = try command(ipCommand, ["netns", "list"]).split(separator: "\n")
    return names.compactMap { $0.split(separator: " ").first.map(String.init) }
  }

  /// Removes the labs of processes that are no more, one that had this process's id among them.
  private static func removeLeftBehind() throws {
    for name in try namespaces() where name.hasPrefix("syncpay-") {
      let parts = name.split(separator: "-")
      guard parts.count == 3, let process = pid_t(parts[1]),
        process == getpid() || hasEnded(process)
      else { continue }
      remove(owner: "syncpay-\(process)", bridge: "sp\(process)n0")
    }
  }

  /// A process that has ended and that nobody has waited for yet has no command line.
  private static func hasEnded(_ process: pid_t) -> Bool {
    FileManager.default.contents(atPath: "/proc/\(process)/cmdline")?.isEmpty ?? true
  }

  private static func remove(owner: String, bridge: String) {
    for name in (try? namespaces()) ?? [] where name.hasPrefix(owner + "-") {
      // Only a lab's own nodes were ever started in its namespaces.
      let inside = (try? command(ipCommand, ["netns", "pids", name])) ?? ""
      for id in inside.split(separator: "\n").compactMap({ pid_t($0) }) { kill(id, SIGKILL) }
      // The other end goes with it, now and not when the kernel comes to it.
      let port = bridge.dropLast() + name.suffix(1)
      try? ip("link", "delete", String(port))
      try? ip("netns", "delete", name)
    }
    try? ip("link", "delete", bridge)
  }
}
