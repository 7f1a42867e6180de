import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// NTP (RFC 5905) against a real chronyd that serves this host's clock on loopback.
  @Suite struct TimeServers {
    @Test(.enabled(if: Self.chronyd != nil, "chronyd is not installed"))
    func `nodes follow a time server, and a clock that is off is corrected to it`() async throws {
      let chronyd = try #require(Self.chronyd)
      let port = try #require(try freePorts(1).first)
      let directory = NSTemporaryDirectory() + "syncpay-chrony-\(UUID().uuidString)"
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: directory) }
      let lines = [
        "port \(port)", "local stratum 5", "allow 127.0.0.1", "bindaddress 127.0.0.1", "cmdport 0",
        "pidfile \(directory)/pid",
      ]
      try lines.joined(separator: "\n").write(
        toFile: directory + "/conf", atomically: true, encoding: .utf8)
      // -x: it never touches the host's clock. -U: it need not be root.
      let server = try ChildProcess(
        chronyd, ["-d", "-x", "-U", "-f", directory + "/conf"], log: directory + "/log")
      defer { server.end() }
      try await withCluster(
        ["time.server_poll_seconds_min": 1],
        perNode: [2: ["time.test_raw_offset_milliseconds": 300]],
        isStarted: false
      ) { cluster in
        for node in cluster.nodes {
          node.setEnvironment(["SYNCPAY_TIME_SERVERS": "127.0.0.1:\(port)"])
        }
        try cluster.start()
        try eventually("all nodes follow the server", seconds: 40) {
          cluster.nodes.allSatisfy {
            let clock = $0.status()?["clock"]
            return clock?["reference"].string == "external"
              && clock?["status"].string == "synchronized"
          }
        }
        // The correction is led to the server's time; what is not made up yet is in the bound.
        let clock = try cluster.nodes[1].get("/status").json["clock"]
        let correction = try #require(clock["correction"].double)
        let bound = try #require(clock["bound"].double)
        try #require(abs(correction + 0.3) <= bound + 0.001, "\(correction) ± \(bound)")
        try #require(bound < 0.5, "a bound of \(bound) s tells nothing")
      }
    }

    static let chronyd: String? = ["/usr/sbin/chronyd", "/usr/bin/chronyd"].first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }
}
