import Foundation
import Testing

extension EndToEnd {
  /// `tools/read_segment.py`, which shares no code with the audit, over the same files.
  @Suite(.enabled(if: SecondReader.python != nil, "python3 is not installed"))
  struct SecondReaders {
    private static let sample = SecondReader.repository + "/data/sample"

    /// Requires that both readers tell the same of every event of a data directory.
    private func requireSame(_ data: String) throws -> Int {
      let second = try SecondReader.read(data)
      try #require(second.status == 0, "\(second.errors)")
      let audit = try run(
        "syncpay-audit",
        ["timeline", data, "--all", "--order", "log", "--format", "json", "--limit", "1000000"])
      try #require(audit.status == 0, "\(audit.errors)")
      let (ours, theirs) = (try lines(audit.output), try lines(second.output))
      try #require(ours.count == theirs.count && !ours.isEmpty)
      for (own, other) in zip(ours, theirs) {
        try #require(own["sequence"] == other["sequence"] && own["index"] == other["index"])
        try #require(own["kind"].string?.hasPrefix(other["kind"].string ?? "-") == true, "\(own)")
        for member in other["stamp"].members {
          try #require(own["stamp"][member.key] == member.value, "\(member.key) of \(own)")
        }
        guard other["kind"].string == "payment" else { continue }
        for key in ["transaction_id", "sender", "receiver", "currency", "reference"] {
          try #require(own[key] == other[key], "\(key) of \(own)")
        }
        try #require(own["amount"].digits == amount(other), "\(own)")
      }
      return ours.count
    }

    private func lines(_ text: String) throws -> [JSON] {
      try text.split(separator: "\n").map { try JSON(String($0)) }
    }

    private func amount(_ payment: JSON) -> String? {
      guard let units = payment["minor_units"].integer, let exponent = payment["exponent"].integer
      else { return nil }
      let digits = String(units)
      let padded = String(repeating: "0", count: max(0, exponent + 1 - digits.count)) + digits
      return exponent == 0
        ? padded : "\(padded.dropLast(exponent)).\(padded.suffix(exponent))"
    }

    @Test func `both read the sample alike`() throws {
      #expect(try requireSame(Self.sample) == 229)
      try #require(try run("syncpay-audit", ["verify", Self.sample]).status == 0)
    }

    @Test func `both read fresh logs alike, with whole tiles and long batches`() async throws {
      try await withCluster { cluster in
        let record = try await load(cluster, label: "second", total: 1500, clients: 60)
        try cluster.waitForAgreement()
        try requireOnceEverywhere(record, cluster)
        for copy in try cluster.copies() { #expect(try requireSame(copy) > 1500) }
      }
    }

    @Test func `no byte of the sample can be changed untold, nor an event without both telling`()
      throws
    {
      let seed = UInt64.random(in: 0 ... .max)
      var random = Chance(state: seed)
      let directory = FileManager.default.temporaryDirectory.path + "/syncpay-flip-\(seed)"
      defer { try? FileManager.default.removeItem(atPath: directory) }
      try FileManager.default.copyItem(atPath: Self.sample, toPath: directory)
      let names = try FileManager.default.contentsOfDirectory(atPath: directory + "/log").sorted()
      let expected = try SecondReader.read(directory)
      // The last one is live: what follows its last whole batch could be a torn write.
      for name in names.dropLast() {
        let path = directory + "/log/" + name
        let whole = try #require(FileManager.default.contents(atPath: path))
        for _ in 0..<8 {
          var bytes = whole
          let place = Int.random(in: 0..<bytes.count, using: &random)
          bytes[place] ^= UInt8.random(in: 1...255, using: &random)
          try bytes.write(to: URL(fileURLWithPath: path))
          let told = "byte \(place) of \(name), seed \(seed)"
          #expect(try run("syncpay-audit", ["verify", directory]).status == 1, "\(told)")
          // What compression alone is made of may change while the records stay the same.
          let second = try SecondReader.read(directory)
          #expect(second.status == 1 || second.output == expected.output, "\(told)")
        }
        try whole.write(to: URL(fileURLWithPath: path))
      }
      #expect(try SecondReader.read(directory).output == expected.output)
    }
  }
}

/// The reader in Python.
private enum SecondReader {
  static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "../..").standardized.path

  static let python = ["/usr/bin/python3", "/usr/local/bin/python3"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  static func read(_ data: String) throws -> CommandResult {
    let names = try FileManager.default.contentsOfDirectory(atPath: data + "/log")
      .filter { $0.hasSuffix(".lz4") }.sorted()
    return try run(
      try #require(python),
      [repository + "/tools/read_segment.py"] + names.map { "\(data)/log/\($0)" })
  }
}
