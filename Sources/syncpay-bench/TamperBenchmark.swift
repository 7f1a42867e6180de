import Audit
import Bytes
import HostFiles
import SegmentLog

/// Changes bytes of a sealed segment, one at a time, and lets the audit look for each.
struct TamperBenchmark: Sendable {
  private let settings: EvidenceSettings

  init(_ settings: EvidenceSettings) { self.settings = settings }

  func run() throws -> BenchSection {
    let scratch = try ScratchDirectory(in: settings.directory)
    defer { scratch.remove() }
    let log = try SealedLog(settings, in: scratch.path + "/log")
    guard let path = log.segments.first, log.segments.count > 1 else {
      throw BenchFailure("the log has no sealed segment: ask for more events, or shorter segments.")
    }
    let size = try PosixFileSystem().open(path, .read).size()
    var section = BenchSection(
      name: "tamper",
      settings: [
        .count("events", settings.events), .count("segment_bytes", Int(size)),
        .count("batches", log.frames.count - 2), .count("samples", settings.lookups),
      ])
    var random = SeededGenerator(seed: settings.seed)
    var (detected, located) = (0, 0)
    for sample in 1...settings.lookups {
      Terminal.progress("tamper: \(sample) of \(settings.lookups) …")
      let place = UInt64.random(in: 0..<size, using: &random)
      let mask = UInt8.random(in: 1...255, using: &random)
      let fault = try fault(log, path, place, mask)
      let frame = log.frames.last { $0.offset <= place }
      let isFound = fault?.path == path
      let isLocated = isFound && fault?.offset == frame?.offset && fault?.index == frame?.index
      detected += isFound ? 1 : 0
      located += isLocated ? 1 : 0
      if !isLocated {
        section.failures.append(
          "byte \(place) of \(path) was changed by \(mask): \(fault?.sentence ?? "not found").")
      }
    }
    section.results = [
      [
        .count("changed", settings.lookups), .count("detected", detected),
        .count("located_to_their_batch", located),
      ]
    ]
    section.notes.append(
      "One byte anywhere in a sealed segment, changed to any other; syncpay-audit verify reads the log "
        + "after each, and must name the file, and the batch that the byte lies in.")
    return section
  }

  /// What verify finds while a byte is another.
  private func fault(
    _ log: SealedLog, _ path: String, _ place: UInt64, _ mask: UInt8
  ) throws -> LogFault? {
    let file = try PosixFileSystem().open(path, .update)
    let byte = try file.read(at: place, count: 1)
    let changed = byte.map { $0 ^ mask }
    try file.write(changed.span.bytes, at: place)
    var options = VerifyOptions()
    options.workers = HostThread.concurrently
    let report = try VerifyReport(
      [log.directory], options, in: PosixFileSystem(), meter: ProgressMeter())
    try file.write(byte.span.bytes, at: place)
    return report.nodes.first?.fault
  }
}
