import ArgumentParser
import FoundationEssentials
import Glibc
import Testing

@testable import syncpay_bench

/// The benchmarks at toy size, so that they cannot rot. Nothing here looks at how long they take.
@Suite(.serialized) struct `The benchmarks` {
  @Test func `append measures each batch size beside the raw limit`() throws {
    let section = try AppendBenchmark(.toy).run()
    let json = try printed(section)
    #expect(json.sizes == AppendSettings.toy.batchSizes)
    for row in json.results {
      #expect(try #require(row["batches"] as? Int) >= 1)
      #expect(try #require(row["batch_bytes"] as? Int) > 212)
      for name in ["batches_per_second", "events_per_second", "raw_batches_per_second"] {
        #expect(try row.number(name) > 0)
      }
      #expect(try row.number("p50_us") <= row.number("p99_us"))
    }
  }

  @Test func `replay applies every payment by both ways, and times the parts`() throws {
    let section = try ReplayBenchmark(.toy).run()
    #expect(section.failures.isEmpty)
    let json = try printed(section)
    #expect(
      json.results.compactMap { $0["path"] as? String }
        == ["recovery", "audit", "apply alone", "SHA-256 alone", "LZ4 alone"])
    for row in json.results {
      #expect(try row.number("events_per_second") > 0)
      #expect(try row.number("min") <= row.number("max"))
    }
    let bytes = try #require(json.settings["records_bytes"] as? Int)
    #expect((2_500 * 60...2_500 * 130).contains(bytes))
  }

  @Test(
    .enabled(
      if: FileManager.default.isExecutableFile(atPath: "/usr/bin/lz4"), "lz4 is not installed"))
  func `verify finds the log intact on one core and on all`() throws {
    let json = try printed(try VerifyBenchmark(.toy).run())
    #expect(
      json.results.compactMap { $0["path"] as? String } == [
        "verify, all cores", "verify, one core", "SHA-256 of the records alone", "lz4 -t",
      ])
    for row in json.results { #expect(try row.number("events_per_second") > 0) }
    #expect(json.settings["segments"] as? Int ?? 0 > 2)
  }

  @Test func `changed bytes are found in their batches`() throws {
    var settings = EvidenceSettings.toy
    settings.lookups = 40
    let section = try TamperBenchmark(settings).run()
    #expect(section.failures.isEmpty)
    let json = try printed(section)
    #expect(try json.results.first?.number("located_to_their_batch") == 40)
  }

  @Test func `look-ups read kilobytes, warm and cold`() throws {
    let section = try LookupBenchmark(.toy).run()
    #expect(section.failures.isEmpty)
    let json = try printed(section)
    #expect(json.results.count == 10)
    for row in json.results {
      #expect(try row.number("p50_us") <= row.number("p99_us"))
      #expect(try row.number("bytes_read") > 0)
    }
  }

  @Test func `a kept log is made once, and one of other sizes is not taken for it`() throws {
    let scratch = try ScratchDirectory()
    defer { scratch.remove() }
    var settings = ReplaySettings.toy
    let first = try ReplayLog(settings, in: scratch.path)
    let file = first.directory + "/00000000000000000001.lz4"
    let made = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
    let again = try ReplayLog(settings, in: scratch.path)
    let kept = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
    #expect(made == kept)
    #expect(again.recordsByteCount == first.recordsByteCount)
    settings.events += 1
    #expect(try ReplayLog(settings, in: scratch.path).directory != first.directory)
  }

  @Test func `a kept log that lacks events is refused`() throws {
    let scratch = try ScratchDirectory()
    defer { scratch.remove() }
    var settings = ReplaySettings.toy
    let short = try ReplayLog(settings, in: scratch.path)
    settings.events += 100
    try FileManager.default.moveItem(
      atPath: short.directory,
      toPath: scratch.path + "/log-\(settings.events)-10-100-1")
    #expect(throws: BenchFailure.self) { try ReplayLog(settings, in: scratch.path) }
  }

  @Test func `merge gives every event once and in order`() throws {
    let section = try MergeBenchmark(.toy).run()
    let json = try printed(section)
    #expect(
      json.results.compactMap { $0["path"] as? String } == [
        "merge", "reorder+merge", "LC_ALL=C sort -m",
      ])
    for row in json.results {
      #expect(try row.number("events_per_second") > 0)
      guard let held = row["held_events_max"] as? Int else {
        #expect(row["path"] as? String == "LC_ALL=C sort -m")
        continue
      }
      #expect((1...3_000).contains(held))
    }
  }

  @Test(.enabled(if: daemon != nil, "there is no syncpayd beside the tests; swift build makes it"))
  func `http pays on its own cluster, and all nodes have what was acknowledged`() async throws {
    var settings = HTTPSettings.toy
    settings.daemon = Self.daemon
    let section = try await HTTPBenchmark(settings).run()
    #expect(section.failures.isEmpty)
    let json = try printed(section)
    #expect(json.results.compactMap { $0["connections"] as? Int } == settings.connections)
    for row in json.results {
      #expect(try #require(row["acknowledged"] as? Int) > 0)
      #expect(row["other_statuses"] as? String == "none")
      #expect(try row.number("p50_us") <= row.number("max_us"))
    }
  }

  @Test func `http against nodes that are not there is a failure in words`() async throws {
    var settings = HTTPSettings.toy
    settings.addresses = [HTTPAddress(host: "127.0.0.1", port: 1)]
    await #expect(throws: BenchFailure.self) { try await HTTPBenchmark(settings).run() }
    settings.addresses = []
    settings.daemon = "/nonexistent/syncpayd"
    await #expect(throws: BenchFailure.self) { try await HTTPBenchmark(settings).run() }
  }

  @Test(.enabled(if: daemon != nil, "there is no syncpayd beside the tests; swift build makes it"))
  func `failover kills leaders, measures each time, and nothing is lost`() async throws {
    var settings = FailoverSettings.toy
    settings.nodes.daemon = Self.daemon
    settings.nodes.configs = repository + "/configs/fast-failover"
    let section = try await FailoverBenchmark(settings).run()
    #expect(section.failures.isEmpty)
    let json = try printed(section)
    #expect(json.settings["kills"] as? Int == settings.kills)
    #expect(json.results.count == 2)
    for row in json.results {
      #expect(try row.number("min_ms") > 0)
      #expect(try row.number("min_ms") <= row.number("median_ms"))
      #expect(try row.number("p90_ms") <= row.number("max_ms"))
    }
  }

  @Test(.enabled(if: daemon != nil, "there is no syncpayd beside the tests; swift build makes it"))
  func `restart starts a node with a history, and it still has it`() async throws {
    var settings = RestartSettings.toy
    settings.nodes.daemon = Self.daemon
    let section = try await RestartBenchmark(settings).run()
    #expect(section.failures.isEmpty)
    let json = try printed(section)
    #expect(json.results.compactMap { $0["starts"] as? Int } == [2, 2, 1])
    for row in json.results { #expect(try row.number("min_ms") > 0) }
  }

  @Test(.enabled(if: daemon != nil, "there is no syncpayd beside the tests; swift build makes it"))
  func `redundancy measures each size of cluster, and draws it`() async throws {
    var settings = RedundancySettings.toy
    settings.daemon = Self.daemon
    let result = try await RedundancyBenchmark(settings).run()
    #expect(result.section.failures.isEmpty)
    let json = try printed(result.section)
    #expect(json.results.compactMap { $0["nodes"] as? Int } == [1, 1, 3, 3])
    #expect(json.results.compactMap { $0["connections"] as? Int } == [1, 4, 1, 4])
    for row in json.results {
      // A record has some sixty bytes, and each node has one.
      let nodes = try row.number("nodes")
      #expect(try row.number("bytes_per_payment") > 60 * nodes)
      #expect(try row.number("p50_ms") <= row.number("p99_ms"))
    }
    let svg = result.chart(machine: "two cores").svg
    #expect(svg.contains("What redundancy costs: two cores"))
    #expect(svg.components(separatedBy: "<g ").count == 5)
  }

  /// `syncpayd` in the directory that the tests were built in, or one named in the environment.
  private static var daemon: String? {
    if let named = getenv("SYNCPAYD") { return String(cString: named) }
    let beside = Files.ownDirectory + "/syncpayd"
    let mayRun = access(beside, X_OK) == 0
    return mayRun ? beside : nil
  }
}

@Suite struct `The report` {
  @Test func `says what ran where and how`() throws {
    let report = BenchReport(context: .current(seed: 7, isToy: true), sections: [])
    let json = try object(report.json)
    let machine = try #require(json["machine"] as? [String: Any])
    for name in ["cpu", "kernel"] { #expect(machine[name] as? String != "") }
    for name in ["cores", "memory_bytes"] { #expect(try #require(machine[name] as? Int) > 0) }
    #expect(json["build"] as? String == BuildMode.current.rawValue)
    #expect(json["figures_valid"] as? Bool == false)
    #expect(json["seed"] as? Int == 7)
    #expect(try #require(json["date"] as? String).count == 20)
    #expect(json["commit"] as? String != "")
  }

  @Test func `a table aligns numbers, and groups their digits`() {
    var section = BenchSection(name: "x")
    section.results = [
      [.text("path", "a"), .count("events", 1_234_567), .real("p50_us", 0.25, decimals: 2)],
      [.text("path", "long"), .count("events", -12), .real("p50_us", 1_000, decimals: 2)],
    ]
    #expect(
      TextTable(rows: section.results).lines == [
        "  path     events    p50 us", "  a     1,234,567      0.25",
        "  long        -12  1,000.00",
      ])
  }

  @Test func `a Markdown table aligns numbers, and keeps its columns`() {
    let rows: [[Field]] = [[.text("path", "a|b"), .count("events", 1_234)]]
    #expect(
      MarkdownTable(rows: rows).lines == [
        "| path | events |", "| --- | ---: |", "| a\\|b | 1,234 |",
      ])
    let report = BenchReport(
      context: .current(seed: 7, isToy: true),
      sections: [BenchSection(name: "x", results: rows, failures: ["it broke."])])
    let text = String(decoding: report.markdown, as: UTF8.self)
    #expect(text.contains("\n## x\n") && text.hasSuffix("**Failed:** it broke.\n"))
  }

  @Test func `a number that is none is printed as zero, not as a trap`() {
    for value in [Double.nan, .infinity, -.infinity, 1e300] {
      #expect(scaled(value, decimals: 2) == 0)
    }
    #expect(scaled(0.125, decimals: 2) == 13)
  }

  @Test func `a spread has the middle`() {
    let odd = Spread([3, 1, 2])
    #expect((odd.min, odd.median, odd.max) == (1, 2, 3))
    #expect(Spread([4, 1, 2, 3]).median == 2.5)
  }
}

@Suite struct `The command line` {
  @Test(arguments: [
    ["http", "--connections", "1,x"], ["http", "--connections", "0"],
    ["http", "--node", "ftp://x"],
    ["http", "--accounts", "1"], ["http", "--target", "some"], ["append", "--seconds", "0"],
    ["failover", "--nodes", "2"],
    ["restart", "--events", "0"], ["failover", "--kills", "0"], ["redundancy", "--runs", "0"],
    ["restart", "--nodes", "10"], ["replay", "--batch", "8193"],
    ["merge", "--events", "0"], ["nonsense"],
  ])
  func `wrong command lines are usage errors`(_ arguments: [String]) {
    do {
      _ = try SyncpayBench.parseAsRoot(arguments)
      Issue.record("accepted: \(arguments)")
    } catch {
      #expect(SyncpayBench.exitCode(for: error).rawValue == 64)
    }
  }

  @Test func `levels and nodes are lists`() throws {
    let parsed = try SyncpayBench.parseAsRoot([
      "http", "--connections", "1,64", "--node", "http://127.0.0.1:5001", "--node", "[::1]:2/",
    ])
    let command = try #require(parsed as? HTTPCommand)
    #expect(command.connections == [1, 64])
    #expect(command.addresses.map(\.description) == ["127.0.0.1:5001", "[::1]:2"])
  }
}

private let repository = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

// MARK: - Reading reports

struct PrintedSection {
  let settings: [String: Any]
  let results: [[String: Any]]

  var sizes: [Int] { results.compactMap { $0["batch_events"] as? Int } }
}

/// The section as the JSON report has it: so the tests read what users read.
func printed(_ section: BenchSection) throws -> PrintedSection {
  let report = BenchReport(context: .current(seed: 1, isToy: true), sections: [section])
  #expect(!report.table.isEmpty)
  let sections = try #require(try object(report.json)["benchmarks"] as? [[String: Any]])
  let first = try #require(sections.first)
  #expect(first["name"] as? String == section.name)
  return PrintedSection(
    settings: try #require(first["settings"] as? [String: Any]),
    results: try #require(first["results"] as? [[String: Any]]))
}
