import Foundation
import Synchronization
import Testing

extension EndToEnd {
  /// "Honest time": what a wrong system clock does, and what it does not.
  @Suite struct Clocks {
    @Test func `a clock two seconds ahead is reported within its bound and put right`()
      async throws
    {
      try await withCluster(perNode: [3: ["time.test_raw_offset_milliseconds": 2000]]) {
        try requireSkewFound($0, ahead: 3, by: 2_000_000_000)
      }
    }

    /// libfaketime moves the clock beneath the process, so that no test hook is believed.
    @Test(.enabled(if: TimeTools.fakeTime != nil, "libfaketime is not there"))
    func `a clock that libfaketime puts two seconds ahead is reported within its bound`()
      async throws
    {
      let library = try #require(TimeTools.fakeTime)
      try await withCluster(isStarted: false) { cluster in
        cluster.nodes[2].setEnvironment([
          "LD_PRELOAD": library, "FAKETIME": "+2s", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
          "DONT_FAKE_MONOTONIC": "1",
        ])
        try cluster.start()
        try requireSkewFound(cluster, ahead: 3, by: 2_000_000_000)
      }
    }

    /// One node two seconds ahead, one half a second behind and drifting by 200 ppm, one true; all follow a
    /// real chronyd. Payments are made one after the other, so that their true order is known.
    @Test(
      .enabled(
        if: TimeTools.fakeTime != nil && TimeTools.chronyd != nil,
        "libfaketime or chronyd is not there"))
    func `corrected time puts payments of three wrong clocks into their true order`() async throws {
      let library = try #require(TimeTools.fakeTime)
      let server = try TimeDaemon(chronyd: try #require(TimeTools.chronyd))
      defer { server.end() }
      try await withCluster(["time.server_poll_seconds_min": 1], isStarted: false) { cluster in
        let common = ["SYNCPAY_TIME_SERVERS": server.address, "SYNCPAY_TIME_KERNEL": "false"]
        let wrong = [
          "LD_PRELOAD": library, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        ]
        let drift = try DriftingOffset(cluster.directory + "/faketime", start: -0.5, rate: 200e-6)
        defer { drift.stop() }
        cluster.nodes[0].setEnvironment(
          common.merging(wrong) { $1 }.merging(["FAKETIME": "+2s"]) { $1 })
        cluster.nodes[1].setEnvironment(
          common.merging(wrong) { $1 }.merging(drift.environment) { $1 })
        cluster.nodes[2].setEnvironment(common)
        try cluster.start()
        try eventually("all nodes follow the server", seconds: 60) {
          cluster.nodes.allSatisfy {
            let clock = $0.status()?["clock"]
            return clock?["reference"].string == "external"
              && clock?["status"].string == "synchronized" && clock?["bound"].double ?? 1 < 0.002
          }
        }
        let payer = PaymentClient(cluster.nodes)
        var ids: [String] = []
        for round in 0..<600 {
          let order = Order.random("true-order", round)
          try #require(payer.pay(order, first: round) == .acknowledged)
          ids.append(order.id)
        }
        try cluster.waitForAgreement()
        let directories = try cluster.copies()
        let byRaw = try inversions(directories, order: "raw", truth: ids)
        let byCorrected = try inversions(directories, order: "corrected", truth: ids)
        print(
          "inversions against true order: \(byRaw) by raw clocks, \(byCorrected) by corrected time")
        try #require(byRaw > 10_000, "the clocks were not wrong: \(byRaw)")
        try #require(
          byCorrected * 100 <= byRaw, "\(byCorrected) by corrected time, \(byRaw) by raw")
        let verified = try run("syncpay-audit", ["verify"] + directories)
        try #require(verified.status == 0, "\(verified)")
      }
    }

    /// Commit wait (Spanner, OSDI 2012): what is stamped after the answer is certainly later.
    @Test func `a payment that waits for its time is certainly before what follows the answer`()
      async throws
    {
      try await SharedCluster.use { cluster in
        try requireSynchronized(cluster)
        for round in 0..<9 {
          let first = try cluster.nodes[round % 3].post(
            Order.random("wait", round).body, to: "/payment?time=certain")
          try #require(first.json["time_certain"].bool == true, "\(first)")
          let second = try cluster.nodes[(round + 1) % 3].post(Order.random("next", round).body)
          func edge(_ reply: HTTPReply, _ sign: Int64) throws -> Int64 {
            let stamp = reply.json["event", "stamp"]
            let corrected = try #require(stamp["corrected"].string.flatMap { Int64($0) })
            return corrected + sign * (try #require(stamp["bound"].string.flatMap { Int64($0) }))
          }
          try #require(try edge(first, 1) < edge(second, 1), "\(first)\n\(second)")
          try #require(
            try edge(first, 1) <= Int64(try #require(second.json["timestamp"].double) * 1e9) + 1000)
        }
        let wrong = try cluster.nodes[0].post(
          Order.random("wait", 99).body, to: "/payment?time=soon")
        try #require(wrong.status == 400 && wrong.json["field"].string == "time")
      }
    }

    // The original's nodes each averaged the others, and so converged to a spread.
    @Test func `clocks agree on one time instead of converging to a spread`() async throws {
      try await SharedCluster.use { cluster in
        try requireSynchronized(cluster)
        for _ in 0..<5 {
          let views = try cluster.nodes.map { try ClockView($0) }
          for (place, first) in views.enumerated() {
            for second in views[(place + 1)...] {
              // Both were read within their windows on this host's own clock.
              let difference = first.corrected - second.corrected
              let earliest = first.asked - second.answered
              let latest = first.answered - second.asked
              let bound = first.bound + second.bound
              try #require(
                difference >= earliest - bound && difference <= latest + bound,
                "\(first) and \(second) do not agree")
            }
          }
          let bounds = views.map(\.bound)
          try #require(bounds.allSatisfy { $0 > 0 && $0 < 200_000_000 }, "\(bounds)")
        }
      }
    }

    /// Each start has a clock that is further back; hybrid time goes on at once, as far as the limit of half a
    /// second allows.
    @Test func `hybrid time goes on after a kill, without a wait, though the clock fell back`()
      async throws
    {
      try await withCluster(nodes: 1) { cluster in
        let node = cluster.nodes[0]
        var last = (wall: Int64.min, logical: Int64.min)
        for (round, setBack) in [0, 150, 300].enumerated() {
          if round > 0 {
            node.kill()
            node.setEnvironment(["SYNCPAY_TIME_TEST_RAW_OFFSET_MILLISECONDS": "\(-setBack)"])
            try node.start()
            try cluster.waitUntilReady(node)
          }
          for number in 1...20 {
            let reply = try node.post(Order.random("hlc\(round)", number).body)
            try #require(reply.status == 200, "\(reply)")
            let stamp = reply.json["event", "stamp"]
            let wall = try #require(stamp["hlc", "wall"].string.flatMap { Int64($0) })
            let logical = Int64(try #require(stamp["hlc", "logical"].integer))
            try #require((wall, logical) > last, "\(stamp) after \(last)")
            last = (wall, logical)
          }
        }
        // Beyond the limit it refuses, and says so, until the clock has caught up.
        node.kill()
        node.setEnvironment(["SYNCPAY_TIME_TEST_RAW_OFFSET_MILLISECONDS": "-60000"])
        try node.start()
        try cluster.waitUntilReady(node)
        let refused = try node.post(Order.random("hlc-late", 1).body)
        try #require(refused.status == 503, "\(refused)")
        try #require(refused.body.contains("clock"), "\(refused)")
      }
    }

    @Test func `a stamp tells raw clock, correction and bound, and they add up`() async throws {
      try await SharedCluster.use { cluster in
        try requireSynchronized(cluster)
        for node in cluster.nodes {
          let reply = try node.post(Order.random("stamp\(node.number)", 1).body)
          let stamp = reply.json["event", "stamp"]
          let number = { (key: String) in try #require(stamp[key].string.flatMap { Int64($0) }) }
          let raw = try number("raw")
          let correction = try number("correction")
          try #require(try number("corrected") == raw + correction)
          try #require(try number("bound") > 0)
          try #require(stamp["node"].string == node.name)
          try #require(stamp["status"].string == "synchronized")
          try #require(stamp["hlc", "logical"].integer != nil)
          try #require(stamp["epoch"].integer != nil)
        }
      }
    }
  }
}

/// An offset for libfaketime that drifts: it reads it from a file again each second. (Its own factor for
/// the rate would stretch every timer of the process too.)
private final class DriftingOffset: Sendable {
  private let path: String
  private let isStopped = Atomic<Bool>(false)

  init(_ path: String, start: Double, rate: Double) throws {
    self.path = path
    try Self.write(start, to: path)
    let began = hostNanoseconds()
    Thread.detachNewThread { [self] in
      while !isStopped.load(ordering: .relaxed) {
        let seconds = Double(hostNanoseconds() - began) * 1e-9
        try? Self.write(start + rate * seconds, to: path)
        usleep(100_000)
      }
    }
  }

  var environment: [String: String] {
    ["FAKETIME_TIMESTAMP_FILE": path, "FAKETIME_CACHE_DURATION": "1"]
  }

  func stop() { isStopped.store(true, ordering: .relaxed) }

  private static func write(_ offset: Double, to path: String) throws {
    let text = String(format: "%+.6f\n", offset)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
  }
}

/// A node's corrected time, and between which moments of this host's own clock it was read.
private struct ClockView: CustomStringConvertible {
  let name: String
  let corrected: Int64
  let bound: Int64
  let asked: Int64
  let answered: Int64

  init(_ node: TestNode) throws {
    name = node.name
    asked = hostNanoseconds()
    let clock = try node.get("/status").json["clock"]
    answered = hostNanoseconds()
    corrected = try #require(clock["corrected"].string.flatMap { Int64($0) })
    bound = Int64(try #require(clock["bound"].double) * 1e9)
  }

  var description: String { "\(name) \(corrected) ± \(bound), asked \(asked) to \(answered)" }
}

/// This host's monotonic clock.
private func hostNanoseconds() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

private func requireSynchronized(_ cluster: Cluster) throws {
  try eventually("all clocks are synchronized", seconds: 30) {
    cluster.nodes.allSatisfy {
      $0.status()?["clock", "status"].string == "synchronized"
    }
  }
}

/// Pays one payment after the other over all nodes, so that their true order is known, and requires
/// that the audit finds how far the clock is ahead, and that corrected time orders better than raw.
private func requireSkewFound(
  _ cluster: Cluster, ahead number: Int, by nanoseconds: Int
) throws {
  try requireSynchronized(cluster)
  let payer = PaymentClient(cluster.nodes)
  var ids: [String] = []
  for round in 0..<90 {
    let order = Order.random("skew", round)
    try #require(payer.pay(order, first: round) == .acknowledged)
    ids.append(order.id)
  }
  try cluster.waitForAgreement()
  // Journals are written every few seconds.
  let (directories, skew) = try eventually("the journals have the last payment", seconds: 30) {
    () -> ([String], CommandResult)? in
    let directories = try cluster.copies()
    let skew = try run("syncpay-audit", ["skew", "--format", "json"] + directories)
    try #require(skew.status == 0, "\(skew)")
    let pairs = skew.json["causality", "pairs"].array
    let isThere = pairs.allSatisfy { pair in
      (pair["messages"].integer ?? 0) > 20 && (pair["messages_back"].integer ?? 0) > 20
    }
    return pairs.count == 2 && isThere ? (directories, skew) : nil
  }
  let nodes = skew.json["nodes"].array
  func value(_ node: Int, _ key: String) throws -> Int {
    let found = try #require(nodes.first { $0["node"].integer == node })
    return try #require(found[key, "median"].integer)
  }
  for other in 1...3 where other != number {
    let apart = try value(number, "offset_ns") - value(other, "offset_ns")
    let bound = try value(number, "bound_ns") + value(other, "bound_ns")
    try #require(abs(apart - nanoseconds) <= bound, "\(apart) ± \(bound)\n\(skew)")
    try #require(bound < 500_000_000, "a bound of \(bound) ns tells nothing")
  }
  // Cause and effect alone, without any measurement, say the same.
  let causality = skew.json["causality"]
  try #require(causality["journals"].array.compactMap(\.integer) == [1, 2, 3], "\(skew)")
  for pair in causality["pairs"].array {
    let (first, second) = (pair["first"].integer ?? 0, pair["second"].integer ?? 0)
    let ends = pair["raw_apart_ns"].array.compactMap(\.integer)
    try #require(ends.count == 2 && pair["impossible"].integer == 0, "\(pair)")
    let truth = (second == number ? nanoseconds : 0) - (first == number ? nanoseconds : 0)
    // The hosts' clocks are one; what a tenth of a second of scheduling hides is no matter here.
    try #require(ends[0] - 1_000_000 <= truth && truth <= ends[1] + 1_000_000, "\(pair)")
    try #require(truth == 0 || ends[0] > 0 || ends[1] < 0, "it says nothing: \(pair)")
  }
  let raw = try #require(skew.json["raw_against_log", "inverted_pairs"].integer)
  let corrected = try #require(skew.json["corrected_against_log", "inverted_pairs"].integer)
  try #require(raw > 0)
  try #require(corrected < raw)
  let byCorrected = try inversions(directories, order: "corrected", truth: ids)
  let byRaw = try inversions(directories, order: "raw", truth: ids)
  try #require(byCorrected < byRaw, "\(byCorrected) by corrected time, \(byRaw) by raw")
}

/// How many pairs a timeline puts the other way round than they were paid.
private func inversions(
  _ directories: [String], order: String, truth ids: [String]
) throws -> Int {
  let result = try run(
    "syncpay-audit", ["timeline", "--format", "json", "--order", order] + directories)
  try #require(result.status == 0, "\(result)")
  let places = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, $0) })
  let shown = try result.lines.compactMap { line in
    try JSON(String(line))["transaction_id"].string.flatMap { places[$0] }
  }
  try #require(shown.count == ids.count, "the timeline lacks payments")
  var count = 0
  for (place, first) in shown.enumerated() {
    for second in shown[(place + 1)...] where second < first { count += 1 }
  }
  return count
}
