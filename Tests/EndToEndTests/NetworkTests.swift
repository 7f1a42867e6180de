import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// Real processes in namespaces of their own, on a network that breaks.
  @Suite struct Networks {
    @Test(.needsNamespaces, arguments: CutOff.allCases)
    func `a minority refuses, the majority goes on, and healing loses nothing`(_ cutOff: CutOff)
      async throws
    {
      try await withCluster(in: .namespaces) { cluster in
        let lab = try #require(cluster.lab)
        let leader = try cluster.waitForLeader()
        let alone = try #require(
          cluster.nodes.first { ($0.number == leader.number) == (cutOff == .leader) })
        let others = cluster.nodes.filter { $0.number != alone.number }
        let record = try await load(
          cluster, label: "cut", clients: 12, attemptMilliseconds: 3000
        ) { record in
          try wait(for: 200, in: record)
          try lab.separate([alone], from: others)
          try requireRefusals(alone)
          try pay(100, "majority", through: others, record)
          try lab.heal()
          try pay(10, "healed", through: [alone], record)
          try wait(for: record.count + 200, in: record)
        }
        try requireNothingLost(record, cluster)
      }
    }

    @Test(.needsNamespaces, arguments: OneWayCut.allCases)
    func `a one-way partition stops nothing for long and loses nothing`(_ cut: OneWayCut)
      async throws
    {
      try await withCluster(in: .namespaces) { cluster in
        let lab = try #require(cluster.lab)
        let leader = try cluster.waitForLeader()
        let followers = cluster.nodes.filter { $0.number != leader.number }
        let record = try await load(
          cluster, label: "oneway", clients: 12, attemptMilliseconds: 3000
        ) { record in
          try wait(for: 200, in: record)
          switch cut {
          case .leaderHearsNobody: for node in followers { try lab.block(from: node, to: leader) }
          case .nobodyHearsLeader: for node in followers { try lab.block(from: leader, to: node) }
          case .followerDoesNotHearLeader: try lab.block(from: leader, to: followers[0])
          case .leaderDoesNotHearFollower: try lab.block(from: followers[0], to: leader)
          }
          try requireEffect(of: cut, leader: leader, follower: followers[0])
          // Through every node: a client of one that is cut off finds its way to another.
          for first in 0..<3 { try pay(30, "cut\(first)", through: cluster.nodes, record, first) }
          try lab.heal()
          try wait(for: record.count + 200, in: record)
        }
        try requireNothingLost(record, cluster)
      }
    }

    /// The delay is one way and the loss each way, on what any node sends: a round trip between two
    /// nodes takes 200 ms, and one in ten loses a packet.
    @Test(.needsNamespaces) func `payments go on over links with 100 ms delay and 5 percent loss`()
      async throws
    {
      let settings = try Settings(configuration: "configs/wan/node1.json")
      let impairment = Impairment(delayMilliseconds: 100, lossPercent: 5)
      try await withCluster(settings, in: .impaired(impairment)) { cluster in
        // The delay is really there.
        let start = ContinuousClock.now
        try #require(try cluster.nodes[0].get("/ping").status == 200)
        try #require(ContinuousClock.now - start >= .milliseconds(100))
        let termBefore = try #require(try cluster.waitForLeader().status()?["term"].integer)
        let record = try await load(
          cluster, label: "wan", total: 300, clients: 24, attemptMilliseconds: 20_000)
        let termAfter = try #require(try cluster.waitForLeader().status()?["term"].integer)
        // A storm would count terms by the dozen.
        try #require(termAfter - termBefore <= 2, "terms \(termBefore) to \(termAfter)")
        // The same clients' reads would take as long as their payments did.
        try #require(cluster.lab).heal()
        try requireNothingLost(record, cluster, sealedAtLeast: 0)
      }
    }

    // Peers once could not connect without CAP_NET_ADMIN: TCP_NODELAY was set as SO_DEBUG.
    @Test(.enabled(if: geteuid() != 0 || Self.setpriv != nil, "setpriv is not installed"))
    func `nodes need no privilege`() async throws {
      try await withCluster(isStarted: false) { cluster in
        if geteuid() == 0, let setpriv = Self.setpriv {
          let bare = [setpriv, "--bounding-set", "-all", "--inh-caps", "-all"]
          for node in cluster.nodes { node.setLauncher(bare) }
        }
        try cluster.start()
        try #require(try cluster.nodes[0].post(Order.random("bare", 1).body).status == 200)
      }
    }

    private static let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].first {
      FileManager.default.isExecutableFile(atPath: $0)
    }

    @Test func `a rolling restart of all nodes under load fails no client that retries`()
      async throws
    {
      try await withCluster(in: .namespacesOrLoopback) { cluster in
        let record = try await load(cluster, label: "roll", clients: 12) { record in
          for node in cluster.nodes {
            try wait(for: record.count + 100, in: record)
            node.signal(SIGTERM)
            try #require(try node.wait() == 0)
            try cluster.restart(node)
          }
          try wait(for: record.count + 100, in: record)
        }
        try requireNothingLost(record, cluster)
      }
    }
  }
}

/// Which node a partition leaves alone.
enum CutOff: CaseIterable, Sendable { case leader, follower }

/// Which packets do not pass, while those the other way do.
enum OneWayCut: CaseIterable, Sendable {
  case leaderHearsNobody, nobodyHearsLeader, followerDoesNotHearLeader, leaderDoesNotHearFollower
}

/// Requires that the nodes notice what does not pass: what each hears is told by what it does.
private func requireEffect(of cut: OneWayCut, leader: TestNode, follower: TestNode) throws {
  try eventually("\(cut) is felt") {
    guard let leading = leader.status(), let following = follower.status() else { return false }
    switch cut {
    case .leaderHearsNobody, .nobodyHearsLeader:
      return leading["is_leader"].bool == false && following["leader"] != .null
        && following["leader"].string != leader.name
    case .followerDoesNotHearLeader:
      return leading["is_leader"].bool == true && following["leader"] == .null
    case .leaderDoesNotHearFollower:
      return leading["is_leader"].bool == true
        && leading["peer_health", follower.name, "status"].string != "healthy"
    }
  }
}

/// Requires that a node without a majority says so, each time before the client's patience ends,
/// and that it stops naming a leader.
private func requireRefusals(_ node: TestNode) throws {
  // In doubt only after `payment.answer_milliseconds`, 5 s.
  let first = try node.post(Order.random("alone", 1).body, timeoutMilliseconds: 8000)
  try #require(first.status == 503, "\(first)")
  try #require(["no_majority", "outcome_unknown"].contains(first.json["code"].string), "\(first)")
  try #require((first.headers["retry-after"].flatMap { Int($0) } ?? 0) >= 1, "\(first)")
  try eventually("\(node.name) knows of no leader") {
    node.status().map { $0["leader"] == .null && $0["is_leader"].bool == false } ?? false
  }
  // By then it refuses after three election timeouts at most, and the refusal is certain.
  let second = try node.post(Order.random("alone", 2).body, timeoutMilliseconds: 4000)
  try #require(second.status == 503 && second.json["code"].string == "no_majority", "\(second)")
  try #require((second.headers["retry-after"].flatMap { Int($0) } ?? 0) >= 1, "\(second)")
  try #require(try node.get("/readyz").status == 503)
}

/// Pays one after the other, beginning with the node number `first` each time, and requires that
/// every payment is acknowledged.
private func pay(
  _ count: Int, _ label: String, through nodes: [TestNode], _ record: LoadRecord, _ first: Int = 0
) throws {
  let client = PaymentClient(nodes, attemptMilliseconds: 3000)
  for number in 0..<count {
    let order = Order.random(label, number)
    let end = client.pay(order, first: first, seconds: 20)
    record.note(order.id, end)
    try #require(end == .acknowledged)
  }
}

/// Requires that every payment of the load was acknowledged, stands once on every node, and that
/// all nodes and an audit of their files agree.
private func requireNothingLost(
  _ record: LoadRecord, _ cluster: Cluster, sealedAtLeast count: Int = 1
) throws {
  try #require(record.others.isEmpty, "not acknowledged: \(record.others.prefix(3))")
  _ = try cluster.waitForLeader()
  try cluster.waitForAgreement()
  try requireOnceEverywhere(record, cluster)
  try requireIdenticalSealedSegments(cluster, atLeast: count)
  try requireAuditAgrees(cluster)
}

extension Settings {
  /// The whole-number settings of a file of this repository that a test can use: those of the node
  /// and its addresses are the test's own.
  init(configuration path: String) throws {
    let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardized
    let text = try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    self = [:]
    for section in try JSON(text).members where !["node", "http"].contains(section.key) {
      for setting in section.value.members {
        if let value = setting.value.integer { self["\(section.key).\(setting.key)"] = value }
      }
    }
  }
}
