import Bytes
import Glibc
import HybridTime
import Timeline

/// What the merge benchmark is asked to do.
struct MergeSettings: Sendable {
  var sourceCounts = [3, 16]
  /// Of all sources together.
  var events = 10_000_000
  var runs = 3
  /// Whether `sort -m` merges as many lines beside it.
  var comparesWithSort = true
  var seed: UInt64 = 1

  static var toy: MergeSettings {
    var settings = MergeSettings()
    settings.sourceCounts = [3]
    settings.events = 3_000
    settings.runs = 2
    settings.comparesWithSort = true
    return settings
  }
}

/// Merges the events of many sources into one order.
struct MergeBenchmark: Sendable {
  private let settings: MergeSettings

  init(_ settings: MergeSettings) { self.settings = settings }

  func run() throws(BenchFailure) -> BenchSection {
    var section = BenchSection(
      name: "merge",
      settings: [
        .count("events", settings.events), .count("runs", settings.runs),
        .count("block_events", MergeCase.blockCount),
        .count("window_ns", MergeCase.windowNanoseconds), .count("threads", 1),
      ])
    for sources in settings.sourceCounts {
      for isJittered in [false, true] {
        section.results.append(try measure(sources, isJittered: isJittered))
      }
      if settings.comparesWithSort { section.results.append(try measureSort(sources)) }
    }
    section.notes.append(
      "Medians; making the events is included. LC_ALL=C sort -m merges as many lines of time, node and number "
        + "(37 bytes) from files in memory to /dev/null. Sources give blocks of \(MergeCase.blockCount) "
        + "events when the merge waits for them.")
    return section
  }

  /// The same by `LC_ALL=C sort -m`, over text files.
  private func measureSort(_ sources: Int) throws(BenchFailure) -> [Field] {
    let scratch = try ScratchDirectory()
    defer { scratch.remove() }
    Terminal.progress("merge: files of \(sources) sources for sort -m …")
    let files = try MergeCase.writeLines(
      sourceCount: sources, events: settings.events, seed: settings.seed, in: scratch.path)
    var times: [Took] = []
    var memory = 0
    for run in 1...settings.runs {
      Terminal.progress("merge: sort -m of \(sources) sources, run \(run) of \(settings.runs) …")
      times.append(
        try took { () throws(BenchFailure) in
          let pid = try ChildProcess.spawn(
            "sh", ["-c", "LC_ALL=C exec sort -m \"$@\" >/dev/null", "sort"] + files,
            output: STDERR_FILENO)
          let end = try ChildProcess.wait(pid)
          guard end.status == 0 else { throw BenchFailure("sort -m failed.") }
          memory = max(memory, end.residentByteCountMax)
        })
    }
    return [.text("path", "LC_ALL=C sort -m"), .count("sources", sources)]
      + times.rateFields(events: settings.events)
      + [
        .text("held_events_max", "-"),
        .real("memory_peak_mib", Double(memory) / 1_048_576, decimals: 1),
      ]
  }

  private func measure(_ sources: Int, isJittered: Bool) throws(BenchFailure) -> [Field] {
    var times: [Took] = []
    var heldMax = 0
    MemoryPeak.reset()
    for run in 1...settings.runs {
      Terminal.progress("merge: \(sources) sources, run \(run) of \(settings.runs) …")
      var merge = MergeCase(
        sourceCount: sources, events: settings.events, isJittered: isJittered, seed: settings.seed)
      times.append(try took { () throws(BenchFailure) in try merge.run() })
      heldMax = max(heldMax, merge.heldMax)
    }
    let path = isJittered ? "reorder+merge" : "merge"
    return [.text("path", path), .count("sources", sources)]
      + times.rateFields(events: settings.events)
      + [
        .count("held_events_max", heldMax),
        .real("memory_peak_mib", Double(MemoryPeak.byteCount) / 1_048_576, decimals: 1),
      ]
  }
}

/// One merge, which makes its events on the way.
struct MergeCase {
  typealias Entry = TimelineEntry<UInt64>

  /// How many events a source gives when it is waited for: about a batch.
  static let blockCount = 1_000
  /// How far events of a jittered source are out of order, nanoseconds.
  static let windowNanoseconds: Int64 = 1_000_000

  private let events: Int
  private let isJittered: Bool
  private var merge: KWayMerge<Entry>
  private var sources: [EntrySource]
  private var reorderers: [Reorderer<Entry>]

  init(sourceCount: Int, events: Int, isJittered: Bool, seed: UInt64) {
    self.events = events
    self.isJittered = isJittered
    merge = KWayMerge(sourceCount: sourceCount)
    sources = (0..<sourceCount).map { number in
      EntrySource(
        number: number, sourceCount: sourceCount,
        count: events / sourceCount + (number < events % sourceCount ? 1 : 0), seed: seed)
    }
    reorderers = (0..<sourceCount).map { _ in
      Reorderer(windowNanoseconds: Self.windowNanoseconds)
    }
  }

  /// Most events that the merge held at once.
  var heldMax: Int { merge.heldCountMax }

  /// Merges everything; throws where not every event comes out once and in order.
  mutating func run() throws(BenchFailure) {
    var count = 0
    var last = TimelineKey(
      timeNanoseconds: .min, hybrid: .zero, node: NodeID(0), sequence: .zero)
    while true {
      while let entry = merge.next() {
        guard last < entry.key else { throw BenchFailure("the merge gave events out of order.") }
        last = entry.key
        count += 1
      }
      guard let source = merge.waitingFor else { break }
      if isJittered { feedReordered(source) } else { feed(source) }
    }
    guard count == events, merge.lateCount == 0 else {
      throw BenchFailure("the merge gave \(count) of \(events) events.")
    }
  }

  private mutating func feed(_ number: Int) {
    for _ in 0..<Self.blockCount {
      guard let entry = sources[number].next() else { return merge.finish(source: number) }
      _ = merge.push(entry, source: number)
    }
  }

  private mutating func feedReordered(_ number: Int) {
    for _ in 0..<Self.blockCount {
      guard let entry = sources[number].next() else {
        reorderers[number].finish()
        drain(number)
        return merge.finish(source: number)
      }
      _ = reorderers[number].push(entry.jittered)
      drain(number)
    }
    merge.advance(source: number, toNanoseconds: reorderers[number].watermarkNanoseconds)
  }

  private mutating func drain(_ number: Int) {
    while let entry = reorderers[number].pop() { _ = merge.push(entry, source: number) }
  }
}

extension MergeCase {
  /// Writes each source's events as lines of 37 bytes that sort by time, and returns the files' paths.
  static func writeLines(
    sourceCount: Int, events: Int, seed: UInt64, in directory: String
  ) throws(BenchFailure) -> [String] {
    var paths: [String] = []
    for number in 0..<sourceCount {
      var source = EntrySource(
        number: number, sourceCount: sourceCount,
        count: events / sourceCount + (number < events % sourceCount ? 1 : 0), seed: seed)
      let path = "\(directory)/source\(number)"
      guard let file = fopen(path, "w") else { throw BenchFailure("\(path) cannot be written.") }
      var text: [UInt8] = []
      var isWritten = true
      while let entry = source.next() {
        append(UInt64(entry.key.timeNanoseconds), width: 19, to: &text, then: 0x20)
        append(UInt64(entry.key.node.rawValue), width: 4, to: &text, then: 0x20)
        append(entry.key.sequence.rawValue & 0xff_ffff_ffff, width: 11, to: &text, then: 0x0a)
        if text.count > 1 << 20 {
          isWritten = isWritten && fwrite(text, 1, text.count, file) == text.count
          text.removeAll(keepingCapacity: true)
        }
      }
      isWritten = isWritten && fwrite(text, 1, text.count, file) == text.count
      guard fclose(file) == 0, isWritten else { throw BenchFailure("\(path) cannot be written.") }
      paths.append(path)
    }
    return paths
  }

  private static func append(
    _ value: UInt64, width: Int, to text: inout [UInt8], then end: UInt8
  ) {
    let start = text.count
    text.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: width))
    var (rest, place) = (value, start + width - 1)
    while rest > 0, place >= start {
      text[place] += UInt8(rest % 10)
      rest /= 10
      place -= 1
    }
    text.append(end)
  }
}

/// Makes one source's entries, in order of time.
private struct EntrySource {
  private let node: NodeID
  private let stepNanosecondsMax: UInt64
  private var random: SeededGenerator
  private var left: Int
  private var nanoseconds: Int64 = 1_700_000_000_000_000_000
  private var sequence: UInt64

  init(number: Int, sourceCount: Int, count: Int, seed: UInt64) {
    node = NodeID(UInt16(number + 1))
    // All sources together: one event every 5 microseconds.
    stepNanosecondsMax = UInt64(sourceCount) * 10_000
    random = SeededGenerator(seed: seed &+ UInt64(number) &* 0x9E6C_63D0_876A_9A47)
    left = count
    sequence = UInt64(number) << 40
  }

  mutating func next() -> MergeCase.Entry? {
    guard left > 0 else { return nil }
    left -= 1
    sequence += 1
    let draw = random.next()
    nanoseconds += 1 + Int64(((draw >> 32) * stepNanosecondsMax) >> 32)
    return MergeCase.Entry(
      key: TimelineKey(
        timeNanoseconds: nanoseconds,
        hybrid: HybridTimestamp(wallNanoseconds: nanoseconds, logical: 0), node: node,
        sequence: EventSequence(sequence)),
      payload: draw)
  }
}

extension MergeCase.Entry {
  /// The same event, in one case of ten as if it had come too late by less than the window.
  fileprivate var jittered: Self {
    guard payload % 10 == 0 else { return self }
    var entry = self
    entry.key.timeNanoseconds -= Int64(payload >> 20) % (MergeCase.windowNanoseconds - 1)
    return entry
  }
}
