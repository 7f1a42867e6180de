import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// NTP (RFC 5905) against chronyd and NTPsec's ntpd on loopback, some of them given false time, and
  /// the node as a server to chronyd.
  @Suite struct TimeServers {
    private static let hasDaemons = TimeTools.chronyd != nil && TimeTools.fakeTime != nil

    @Test(.enabled(if: TimeTools.chronyd != nil, "chronyd is not there or does not run"))
    func `nodes follow a time server, and a clock that is off is corrected to it`() async throws {
      let server = try TimeDaemon(chronyd: try #require(TimeTools.chronyd))
      defer { server.end() }
      try await withCluster(
        ["time.server_poll_seconds_min": 1],
        perNode: [2: ["time.test_raw_offset_milliseconds": 300]],
        isStarted: false
      ) { cluster in
        for node in cluster.nodes { node.setEnvironment(["SYNCPAY_TIME_SERVERS": server.address]) }
        try cluster.start()
        try eventually("all nodes follow the server", seconds: 40) {
          cluster.nodes.allSatisfy { follows($0) }
        }
        for node in cluster.nodes { try requireTrue(node) }
      }
    }

    /// Servers of five, by how many are false and by how much, and what becomes of the node.
    @Test(
      .enabled(if: hasDaemons, "chronyd or libfaketime is not there"),
      arguments: [["+2s"], ["+2s", "-3s"], ["+2s", "-3s", "+7s"]])
    func `of five servers one or two false ones are found and named, three leave no majority`(
      offsets: [String]
    ) async throws {
      let chronyd = try #require(TimeTools.chronyd)
      let fakeTime = try #require(TimeTools.fakeTime)
      var servers: [TimeDaemon] = []
      defer { for server in servers { server.end() } }
      for offset in offsets { servers.append(try TimeDaemon(chronyd: chronyd, offset: offset)) }
      // NTPsec's daemon needs port 123: it takes part where that is to be had.
      if getuid() == 0, let ntpd = TimeTools.ntpd { servers.append(try TimeDaemon(ntpd: ntpd)) }
      while servers.count < 5 { servers.append(try TimeDaemon(chronyd: chronyd)) }
      for server in servers { try server.waitUntilSynchronized() }
      let all = servers
      try await withCluster(nodes: 1, ["time.server_poll_seconds_min": 1], isStarted: false) {
        let node = $0.nodes[0]
        node.setEnvironment([
          "SYNCPAY_TIME_SERVERS": all.map(\.address).joined(separator: ","),
          "SYNCPAY_TIME_KERNEL": "false", "LD_PRELOAD": fakeTime, "FAKETIME": "+0.3s",
          "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        ])
        try node.start()
        try $0.waitUntilReady(node)
        let verdicts = try eventually("every server has its verdict", seconds: 40) {
          () -> [String]? in
          let sources = node.status()?["clock", "sources"].array ?? []
          let found = sources.filter { $0["kind"].string == "time_server" }
            .compactMap { $0["verdict"].string }
          return found.count == 5 && !found.contains("unheard") && !found.contains("settling")
            ? found : nil
        }
        let good = ["selected", "not-combined"]
        if offsets.count > 2 {
          try #require(verdicts == Array(repeating: "no-majority", count: 5))
          try #require(node.status()?["clock", "reference"].string == "local")
          return
        }
        try #require(
          verdicts.prefix(offsets.count).allSatisfy { $0 == "falseticker" }, "\(verdicts)")
        try #require(verdicts.dropFirst(offsets.count).allSatisfy(good.contains), "\(verdicts)")
        try requireTrue(node)
        let correction = try #require(node.status()?["clock", "correction"].double)
        try #require(
          abs(correction + 0.3) < 0.1, "libfaketime has not moved the clock: \(correction)")
        // What each server is off by, as the node tells it.
        let sources = try node.get("/status").json["clock", "sources"].array
        for (place, offset) in offsets.enumerated() {
          let source = try #require(
            sources.filter { $0["kind"].string == "time_server" }.dropFirst(place).first)
          let told = try #require(source["offset"].double)
          let bound = try #require(source["bound"].double)
          let wanted = try #require(Double(offset.dropLast()))
          // chronyd's own kernel timestamps are not moved by libfaketime: it may mix the two.
          try #require(abs(told - wanted) < bound + 0.01, "\(source)")
        }
      }
    }

    @Test(.enabled(if: TimeTools.chronyd != nil, "chronyd is not there or does not run"))
    func `a node serves its corrected time to others, and says so where it knows none`()
      async throws
    {
      let chronyd = try #require(TimeTools.chronyd)
      let server = try TimeDaemon(chronyd: chronyd)
      defer { server.end() }
      try await withCluster(
        nodes: 1, ["time.server_poll_seconds_min": 1, "time.test_raw_offset_milliseconds": -700],
        isStarted: false
      ) {
        let node = $0.nodes[0]
        try node.start()
        try $0.waitUntilReady(node)
        let lost = try askTime(node.peer)
        try #require(lost.leap == 3 && lost.stratum == 0 && lost.byteCount == 48, "\(lost)")
        node.kill()
        node.setEnvironment(["SYNCPAY_TIME_SERVERS": server.address])
        try node.start()
        try eventually("the node follows the server", seconds: 40) { follows(node) }
        let answer = try eventually("corrected time is led to the server's", seconds: 40) {
          () -> TimeAnswer? in
          let answer = try askTime(node.peer)
          return answer.dispersion < 0.05 ? answer : nil
        }
        try #require(answer.leap == 0 && answer.stratum == 6, "\(answer)")
        try #require(
          abs(answer.offset) <= answer.halfDelay + answer.dispersion + 0.001, "\(answer)")
        // Rubbish is not answered, and hurts nobody.
        #expect(throws: (any Error).self) {
          try askTime(node.peer, datagram: [0x24] + [UInt8](repeating: 7, count: 47))
        }
        #expect(throws: (any Error).self) {
          try askTime(node.peer, datagram: [UInt8](repeating: 0x23, count: 47))
        }
        // -Q: a client that prints how far the clock is off, and sets nothing.
        let client = try run(
          chronyd,
          [
            "-Q", "-t", "20", "-U", "-u", NSUserName(), "-F", "0",
            "server 127.0.0.1 port \(node.peer.port) iburst", "cmdport 0",
          ])
        let output = client.output + client.errors
        let words = output.split(separator: " ").map(String.init)
        let place = try #require(words.firstIndex(of: "wrong"), "\(output)")
        let wrong = try #require(Double(words[place + 2]), "\(output)")
        try #require(abs(wrong) < 0.06, "\(output)")
      }
    }

    @Test(.enabled(if: TimeTools.chronyd != nil, "chronyd is not there or does not run"))
    func `an audit narrows what was stamped while no server answered`() async throws {
      let chronyd = try #require(TimeTools.chronyd)
      let server = try TimeDaemon(chronyd: chronyd)
      defer { server.end() }
      let port = server.endpoint.port
      try await withCluster(nodes: 1, ["time.server_poll_seconds_min": 1], isStarted: false) {
        let node = $0.nodes[0]
        node.setEnvironment([
          "SYNCPAY_TIME_SERVERS": server.address, "SYNCPAY_TIME_KERNEL": "false",
          "SYNCPAY_TIME_SERVER_POLL_SECONDS_MAX": "1",
        ])
        try node.start()
        try $0.waitUntilReady(node)
        let payer = PaymentClient([node])
        try eventually("the node follows the server", seconds: 40) { follows(node) }
        try #require(payer.pay(.random("known", 1), first: 0) == .acknowledged)
        server.end()
        try eventually("the server's answers are too old", seconds: 60) {
          node.status()?["clock", "status"].string == "holdover"
        }
        for number in 1...20 {
          try #require(payer.pay(.random("gap", number), first: 0) == .acknowledged)
          usleep(50_000)
        }
        let again = try TimeDaemon(chronyd: chronyd, port: port)
        defer { again.end() }
        try again.waitUntilSynchronized()
        // To the end of the gap, where the next answer is near and the last one far.
        var number = 20
        try eventually("the node follows the server again", seconds: 40) {
          number += 1
          try #require(payer.pay(.random("gap", number), first: 0) == .acknowledged)
          return follows(node)
        }
        node.signal(SIGTERM)
        try #require(try node.wait() == 0)
        let skew = try run("syncpay-audit", ["skew", node.data, "--format", "json"])
        try #require(skew.status == 0, "\(skew)")
        let bounds = skew.json["payment_bounds_ns"]
        let stamped = try #require(bounds["stamped", "max"].integer)
        let tightened = try #require(bounds["tightened", "max"].integer)
        try #require(skew.json["time_server_answers"].integer ?? 0 >= 2)
        try #require(tightened < stamped, "\(bounds)")
      }
    }

    private func follows(_ node: TestNode) -> Bool {
      let clock = node.status()?["clock"]
      return clock?["reference"].string == "external" && clock?["status"].string == "synchronized"
    }

    /// Corrected time is this host's, which the servers serve, within the bound.
    private func requireTrue(_ node: TestNode) throws {
      let before = Date().timeIntervalSince1970
      let clock = try node.get("/status").json["clock"]
      let after = Date().timeIntervalSince1970
      let corrected = try #require(clock["corrected"].string.flatMap { Double($0) }) * 1e-9
      let bound = try #require(clock["bound"].double)
      // A Double of seconds since 1970 is good to a quarter of a microsecond.
      try #require(
        before - bound - 1e-6 <= corrected && corrected <= after + bound + 1e-6, "\(clock)")
      try #require(bound < 0.5, "a bound of \(bound) s tells nothing")
    }
  }
}
