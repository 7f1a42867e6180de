import Audit
import Bytes
import HostFiles
import HybridTime
import Ledger
import SegmentLog

/// Verifies a sealed log as an audit does, beside what its parts cost alone.
struct VerifyBenchmark: Sendable {
  private let settings: EvidenceSettings

  init(_ settings: EvidenceSettings) { self.settings = settings }

  func run() throws -> BenchSection {
    let scratch = try ScratchDirectory(in: settings.directory)
    defer { scratch.remove() }
    let log = try SealedLog(settings, in: scratch.path + "/log")
    var times: [String: [Took]] = [:]
    for run in 1...settings.runs {
      Terminal.progress("verify: run \(run) of \(settings.runs) …")
      times["verify, all cores", default: []].append(
        try took { try verify(log) { HostThread.concurrently($0, $1) } })
      times["verify, one core", default: []].append(
        try took { try verify(log) { count, job in for number in 0..<count { job(number) } } })
      times["SHA-256 of the records alone", default: []].append(try hash(log))
      times["lz4 -t", default: []].append(
        try took {
          guard ChildProcess.output("lz4", ["-t", "-m", "-q"] + log.segments) != nil else {
            throw BenchFailure("lz4 -t finds a fault, or lz4 is not installed.")
          }
        })
    }
    var section = BenchSection(
      name: "verify",
      settings: [
        .count("events", settings.events), .count("batch_events", settings.batch),
        .count("segments", log.segments.count), .count("file_bytes", Int(log.fileByteCount)),
        .count("records_bytes", Int(log.recordsByteCount)), .count("runs", settings.runs),
      ])
    for name in [
      "verify, all cores", "verify, one core", "SHA-256 of the records alone", "lz4 -t",
    ] {
      let wall = Spread((times[name] ?? []).map(\.wall))
      section.results.append([
        .text("path", name), .real("events_per_second", Double(settings.events) / wall.median),
        .real("min", Double(settings.events) / wall.max),
        .real("max", Double(settings.events) / wall.min),
        .real("file_mb_per_second", Double(log.fileByteCount) / wall.median / 1e6, decimals: 1),
        .real(
          "records_mb_per_second", Double(log.recordsByteCount) / wall.median / 1e6, decimals: 1),
      ])
    }
    section.notes.append(
      "Medians. 'verify' checks every byte and hash, the Merkle tree, the index and the ledger's "
        + "digests; SHA-256 runs once over the records, verify needs it twice and more: for the chain, "
        + "and for each leaf and node of the tree.")
    return section
  }

  private func verify(_ log: SealedLog, _ workers: @escaping Workers) throws {
    var options = VerifyOptions()
    options.workers = workers
    let report = try VerifyReport(
      [log.directory], options, in: PosixFileSystem(), meter: ProgressMeter())
    guard !report.hasFault, !report.hasFailure, report.eventCount == UInt64(settings.events) else {
      throw BenchFailure("the log that was made is not intact.")
    }
  }

  /// Hashes as many bytes as the records have, a mebibyte at a time.
  private func hash(_ log: SealedLog) throws -> Took {
    let piece = [UInt8](repeating: 0x5a, count: 1 << 20)
    return took {
      var left = Int(log.recordsByteCount)
      while left > 0 {
        let bytes = piece.span.bytes.extracting(0..<min(left, piece.count))
        _ = Digest256Hasher.digest(bytes)
        left -= piece.count
      }
    }
  }
}

/// Finds single events in a sealed log, with and without its bytes in memory.
struct LookupBenchmark: Sendable {
  private let settings: EvidenceSettings

  init(_ settings: EvidenceSettings) { self.settings = settings }

  func run() throws -> BenchSection {
    let scratch = try ScratchDirectory(in: settings.directory)
    defer { scratch.remove() }
    var log = try SealedLog(settings, in: scratch.path + "/log")
    // What is not sealed has no index yet: a node has it in memory, an audit reads it whole.
    try log.leaveSealed()
    var section = BenchSection(
      name: "lookup",
      settings: [
        .text("file_system", Files.fileSystemName(scratch.path)),
        .count("events", settings.events), .count("accounts", settings.accounts),
        .count("segments", log.segments.count), .count("file_bytes", Int(log.fileByteCount)),
        .count("lookups", log.samples.count),
      ])
    let kinds: [(String, (Payment) -> SearchSubject)] = [
      ("by transaction id", { .id($0.draft.id) }),
      ("by an id that is not there", { Self.unknown($0) }),
      ("by corrected time", { .time($0.stamp.correctedNanoseconds) }),
      ("by account, 10 payments", { .account($0.draft.sender) }),
    ]
    for (name, subject) in kinds {
      for isCold in [false, true] {
        Terminal.progress("lookup: \(name), \(isCold ? "cold" : "warm") …")
        section.results.append(try measure(name, isCold: isCold, log, subject))
      }
    }
    for isCold in [false, true] { section.results.append(try raw(isCold: isCold, log)) }
    section.notes.append(
      "Each look-up opens the log anew and checks what it reads, as syncpay-audit find does, over all "
        + "segments. Cold: the kernel was asked to drop the files' pages before each; whether the disk "
        + "below has them in memory is not known. Raw: one read of 64 KiB at a random place.")
    return section
  }

  /// An id of the same form that no payment has.
  private static func unknown(_ payment: Payment) -> SearchSubject {
    let bits = payment.draft.id.compactBits ?? (0, 0)
    return .id(TransactionID(high: bits.high ^ 0x5555, low: bits.low))
  }

  private func measure(
    _ name: String, isCold: Bool, _ log: SealedLog, _ subject: (Payment) -> SearchSubject
  ) throws -> [Field] {
    var times = StepTimes()
    var byteCount: UInt64 = 0
    for payment in log.samples {
      if isCold { try dropCaches(log) }
      var search = try SegmentSearch(log.directory, in: PosixFileSystem())
      try times.time { _ = try search.find(subject(payment), limit: 10) }
      byteCount += search.byteCount
    }
    return row(name, isCold, times, byteCount: Int(byteCount) / log.samples.count)
  }

  private func raw(isCold: Bool, _ log: SealedLog) throws -> [Field] {
    let pieceByteCount = 64 << 10
    var random = SeededGenerator(seed: settings.seed)
    var times = StepTimes()
    for _ in log.samples {
      if isCold { try dropCaches(log) }
      let path = log.segments[Int.random(in: 0..<log.segments.count, using: &random)]
      let size = try PosixFileSystem().open(path, .read).size()
      let offset = UInt64.random(in: 0...size, using: &random)
      try times.time {
        _ = try PosixFileSystem().open(path, .read).read(at: offset, count: pieceByteCount)
      }
    }
    return row("raw read of 64 KiB", isCold, times, byteCount: pieceByteCount)
  }

  private func dropCaches(_ log: SealedLog) throws {
    for path in log.segments { try PosixFileSystem().open(path, .read).dropCache() }
  }

  private func row(
    _ name: String, _ isCold: Bool, _ times: StepTimes, byteCount: Int
  ) -> [Field] {
    [
      .text("lookup", name), .text("cache", isCold ? "cold" : "warm"),
      .real("p50_us", times.microseconds(50)), .real("p99_us", times.microseconds(99)),
      .count("bytes_read", byteCount),
    ]
  }
}
