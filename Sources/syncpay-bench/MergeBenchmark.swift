import Bytes
import HybridTime
import Timeline

/// What the merge benchmark is asked to do.
struct MergeSettings: Sendable {
  var sourceCounts = [3, 16]
  /// Of all sources together.
  var events = 2_000_000
  var runs = 3
  var seed: UInt64 = 1

  static var toy: MergeSettings {
    var settings = MergeSettings()
    settings.sourceCounts = [3]
    settings.events = 3_000
    settings.runs = 2
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
    }
    section.notes.append(
      "Medians; making the events is included. Sources give blocks of \(MergeCase.blockCount) "
        + "events when the merge waits for them.")
    return section
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
