import Glibc
import Synchronization
import Testing

extension EndToEnd {
  /// "Never lost": payments that were acknowledged outlive every process.
  @Suite struct Survival {
    // The original lost acknowledged payments when its leader died: its log held only ids.
    @Test func `acknowledged payments are not lost when the leader is killed under load`()
      async throws
    {
      try await withCluster { cluster in
        let leader = try cluster.waitForLeader()
        let record = try await load(cluster, label: "kill", total: 2000, clients: 50) { record in
          try wait(for: 600, in: record)
          leader.kill()
          try wait(for: 1300, in: record)
          try leader.start()
        }
        try #require(record.others.isEmpty, "not acknowledged: \(record.others.prefix(3))")
        try #require(record.count == 2000)
        try cluster.waitUntilReady(leader)
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
        try requireIdenticalSealedSegments(cluster, atLeast: 3)
        try requireAuditAgrees(cluster)
      }
    }

    @Test func `nothing acknowledged is missing after all nodes were killed under load`()
      async throws
    {
      try await withCluster { cluster in
        let record = try await load(cluster, label: "all", total: 900, clients: 30) { record in
          try wait(for: 400, in: record)
          for node in cluster.nodes { node.signal(SIGKILL) }
          for node in cluster.nodes { node.kill() }
          for node in cluster.nodes { try node.start() }
        }
        try #require(record.others.isEmpty, "not acknowledged: \(record.others.prefix(3))")
        _ = try cluster.waitForLeader()
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
        let ledgers = try cluster.nodes.map { try $0.balances() }
        try #require(ledgers[0] == ledgers[1] && ledgers[1] == ledgers[2])
        try requireIdenticalSealedSegments(cluster, atLeast: 1)
        try requireAuditAgrees(cluster)
      }
    }

    @Test func `kills, pauses and restarts at random lose and double nothing`() async throws {
      let seed = UInt64.random(in: 0 ... .max)
      try await withCluster { cluster in
        let record = try await load(
          cluster, label: "chaos", total: 2400, clients: 24, attemptMilliseconds: 2000
        ) { record in
          var generator = Chance(state: seed)
          var goal = 150
          for _ in 0..<6 {
            try wait(for: goal, in: record)
            goal += 350
            let node = cluster.nodes[Int.random(in: 0..<3, using: &generator)]
            let isPaused = Bool.random(using: &generator)
            if isPaused { node.signal(SIGSTOP) } else { node.kill() }
            usleep(UInt32.random(in: 10_000..<1_500_000, using: &generator))
            if isPaused { node.signal(SIGCONT) } else { try cluster.restart(node) }
          }
        }
        try #require(record.others.isEmpty, "seed \(seed): \(record.others.prefix(3))")
        _ = try cluster.waitForLeader()
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
        try requireIdenticalSealedSegments(cluster, atLeast: 3)
        try requireAuditAgrees(cluster)
      }
    }

    @Test func `without a majority a payment is answered 503 and nobody claims to lead`()
      async throws
    {
      try await withCluster { cluster in
        let leader = try cluster.waitForLeader()
        let others = cluster.nodes.filter { $0.number != leader.number }
        for node in others { node.kill() }
        // The survivor is the leader itself: cut off, it must stop calling itself one.
        let start = ContinuousClock.now
        let reply = try leader.post(Order.random("alone", 1).body, timeoutMilliseconds: 15_000)
        let took = ContinuousClock.now - start
        try #require(reply.status == 503, "\(reply)")
        try #require(took < .seconds(10))
        try #require(["no_majority", "outcome_unknown"].contains(reply.json["code"].string))
        try #require((reply.headers["retry-after"].flatMap { Int($0) } ?? 0) >= 1, "\(reply)")
        try eventually("the survivor knows that it does not lead") {
          leader.status()?["is_leader"].bool == false
        }
        try #require(leader.status()?["leader"] == .null)
        try #require(try leader.get("/health").json["is_leader"].bool == false)
        try #require(try leader.get("/readyz").status == 503)
        // By then the refusal is certain: nothing was recorded.
        let refused = try leader.post(Order.random("alone", 2).body, timeoutMilliseconds: 15_000)
        try #require(refused.status == 503 && refused.headers["retry-after"] != nil, "\(refused)")
        try cluster.restart(others[0])
        let paid = PaymentClient([leader]).pay(Order.random("alone", 3), first: 0)
        try #require(paid == .acknowledged)
      }
    }

    // The original's partitioned leader went on calling itself leader.
    @Test func `a leader that was stopped for a while does not lead on when it wakes`()
      async throws
    {
      try await withCluster { cluster in
        let leader = try cluster.waitForLeader()
        let others = cluster.nodes.filter { $0.number != leader.number }
        let termBefore = leader.status()?["term"].integer ?? 0
        let record = try await load(
          cluster, label: "pause", total: 300, clients: 10, attemptMilliseconds: 1500
        ) { record in
          try wait(for: 60, in: record)
          leader.signal(SIGSTOP)
          try eventually("the others have a new leader") {
            others.contains { $0.status()?["is_leader"].bool == true }
          }
          try wait(for: 160, in: record)
          leader.signal(SIGCONT)
        }
        try #require(record.others.isEmpty, "not acknowledged: \(record.others.prefix(3))")
        try eventually("the node that woke follows") {
          guard let status = leader.status() else { return false }
          return status["is_leader"].bool == false && status["term"].integer ?? 0 > termBefore
        }
        let leaders = cluster.nodes.filter { $0.status()?["is_leader"].bool == true }
        try #require(leaders.count == 1)
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
      }
    }

    // The original ignored SIGTERM.
    @Test func `SIGTERM hands leadership over and drops no payment silently`() async throws {
      // Elections take 4 s at least, so a leader known before that was given its office.
      let slow = [
        "raft.election_milliseconds_min": 4000, "raft.election_milliseconds_max": 5000,
      ]
      try await withCluster(slow) { cluster in
        let leader = try cluster.waitForLeader()
        let others = cluster.nodes.filter { $0.number != leader.number }
        let handover = Mutex<Duration?>(nil)
        let exitStatus = Mutex<Int32?>(nil)
        let record = try await load(
          cluster, label: "term", total: 600, clients: 20
        ) { record in
          try wait(for: 200, in: record)
          let start = ContinuousClock.now
          leader.signal(SIGTERM)
          try eventually("another node leads", seconds: 30) {
            others.contains { $0.status()?["is_leader"].bool == true }
          }
          handover.withLock { $0 = ContinuousClock.now - start }
          let status = try leader.wait()
          exitStatus.withLock { $0 = status }
        }
        try #require(record.others.isEmpty, "dropped or refused: \(record.others.prefix(3))")
        try #require(exitStatus.withLock { $0 } == 0)
        let took = handover.withLock { $0 } ?? .seconds(99)
        try #require(took < .milliseconds(3500), "leadership moved only after \(took)")
        try #require(leader.logText.contains("stopped"))
        try cluster.restart(leader)
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
      }
    }

    @Test func `SIGTERM ends an idle node and a lone node with status 0`() async throws {
      try await withCluster(nodes: 1) { cluster in
        let node = cluster.nodes[0]
        let idle = try HTTPConnection(port: node.httpPort)
        try #require(try idle.request("GET", "/ping").status == 200)
        try #require(try node.post(Order.random("lone", 1).body).status == 200)
        // A connection that is kept alive must not hold the node back.
        node.signal(SIGTERM)
        try #require(try node.wait() == 0)
        try cluster.restart(node)
        try #require(try node.transactions().count == 1)
      }
    }
  }
}

/// Requires that segments sealed on all nodes hold the same bytes.
func requireIdenticalSealedSegments(_ cluster: Cluster, atLeast count: Int) throws {
  // The last batch of a segment must be applied before it is sealed.
  let names = try eventually("all nodes have sealed the same segments") {
    let sealed = try cluster.nodes.map { try $0.sealedSegments() }
    return sealed.allSatisfy { $0 == sealed[0] } ? sealed[0] : nil
  }
  try #require(names.count >= count, "only \(names.count) segments were sealed")
  for name in names {
    let first = cluster.nodes[0].segmentBytes(name)
    for node in cluster.nodes.dropFirst() {
      try #require(node.segmentBytes(name) == first, "\(name) differs on \(node.name)")
    }
  }
}

/// Requires that an audit of copied data directories finds what the running nodes say.
func requireAuditAgrees(_ cluster: Cluster) throws {
  let (index, digest) = try cluster.waitForAgreement()
  let balances = try cluster.nodes[0].balances()
  // The next clock reports carry the commit index of the last payment.
  let copies = try eventually("the copies' logs prove the last payment committed") {
    let copies = try cluster.copies()
    let replay = try run("syncpay-audit", ["replay", "--format", "json"] + copies)
    return replay.json["committed_index"].integer ?? 0 >= index ? copies : nil
  }
  let verified = try run("syncpay-audit", ["verify", "--format", "json"] + copies)
  try #require(verified.status == 0, "\(verified)")
  try #require(verified.json["intact"].bool == true)
  let ledger = try run("syncpay-audit", ["ledger", "--format", "json"] + copies)
  try #require(ledger.status == 0, "\(ledger)")
  try #require(ledger.json["balanced"].bool == true)
  var audited: [String: String] = [:]
  for account in ledger.json["accounts"].array {
    audited[account["account"].string ?? ""] = account["balance"].digits
  }
  try #require(audited == balances, "\(ledger.output)\n\(balances)")
  for copy in copies {
    let replay = try run(
      "syncpay-audit", ["replay", "--format", "json", "--at-index", "\(index)", copy])
    try #require(replay.json["ledger_digest"].string == digest, "\(replay)")
  }
}
