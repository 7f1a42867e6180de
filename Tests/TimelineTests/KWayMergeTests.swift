import Bytes
import Testing
import Timeline

/// Feeds the sources in a random interleaving and drains after every step.
private func merge(
  _ sources: [[Entry]], random: inout SeededGenerator
) -> (merged: [Entry], duplicates: UInt64, isFinished: Bool) {
  var merge = KWayMerge<Entry>(sourceCount: sources.count)
  var positions = sources.map { _ in 0 }
  var open = Array(sources.indices)
  var merged: [Entry] = []
  while !open.isEmpty {
    let slot = Int.random(in: 0..<open.count, using: &random)
    let source = open[slot]
    if positions[source] == sources[source].count {
      merge.finish(source: source)
      open.remove(at: slot)
    } else {
      let next = sources[source][positions[source]]
      if Bool.random(using: &random) {
        merge.advance(source: source, toNanoseconds: next.timeNanoseconds)
      }
      let lateness = merge.push(next, source: source)
      #expect(lateness == nil)
      positions[source] += 1
    }
    while let entry = merge.next() { merged.append(entry) }
  }
  return (merged, merge.duplicateCount, merge.isFinished)
}

@Test(arguments: 0..<60 as Range<UInt64>)
func `any number of sources merge into one sorted list`(seed: UInt64) {
  var random = SeededGenerator(seed: seed)
  let sources = (0..<Int.random(in: 1...17, using: &random)).map { source in
    (0..<Int.random(in: 0...80, using: &random)).map { number in
      entry(
        Int64.random(in: 0...100, using: &random), node: UInt16(source), sequence: UInt64(number))
    }.sorted()
  }
  let (merged, duplicates, isFinished) = merge(sources, random: &random)
  #expect(merged == sources.flatMap { $0 }.sorted(), "seed \(seed)")
  #expect(duplicates == 0 && isFinished, "seed \(seed)")
}

@Test(arguments: 0..<20 as Range<UInt64>)
func `copies of one log come out once and are counted`(seed: UInt64) {
  var random = SeededGenerator(seed: seed)
  let log = (0..<100).map {
    entry(Int64.random(in: 0...40, using: &random), sequence: UInt64($0))
  }.sorted()
  let copies = [log, Array(log.prefix(70)), Array(log.dropFirst(30))]
  let (merged, duplicates, _) = merge(copies, random: &random)
  #expect(merged == log, "seed \(seed)")
  #expect(duplicates == 140, "seed \(seed)")
}

@Test func `an idle source holds the others back only to its watermark`() {
  var merge = KWayMerge<Entry>(sourceCount: 2)
  for time in [10, 20, 30] as [Int64] { #expect(merge.push(entry(time), source: 0) == nil) }
  #expect(merge.next() == nil)
  #expect(merge.waitingFor == 1)
  merge.advance(source: 1, toNanoseconds: 20)
  #expect(merge.next()?.timeNanoseconds == 10)
  #expect(merge.next() == nil)
  merge.advance(source: 1, toNanoseconds: 21)
  #expect(merge.next()?.timeNanoseconds == 20)
  #expect(merge.push(entry(19, node: 2), source: 1) == .behindWatermark(nanoseconds: 2))
  #expect(merge.lateCount == 1)
}

@Test func `an ended source holds nobody back`() {
  var merge = KWayMerge<Entry>(sourceCount: 3)
  #expect(merge.push(entry(5), source: 2) == nil)
  merge.finish(source: 0)
  merge.finish(source: 1)
  #expect(merge.next()?.timeNanoseconds == 5)
  #expect(!merge.isFinished)
  #expect(merge.waitingFor == 2)
  merge.finish(source: 2)
  #expect(merge.isFinished && merge.next() == nil && merge.waitingFor == nil)
}

@Test func `a silent source is passed over when the others fill the memory given`() {
  var merge = KWayMerge<Entry>(sourceCount: 2, capacity: 2)
  for time in [10, 20, 30] as [Int64] { #expect(merge.push(entry(time), source: 0) == nil) }
  #expect(merge.next()?.timeNanoseconds == 10)
  #expect(merge.next() == nil)
  #expect(merge.overflowCount == 1)
  #expect(merge.push(entry(9, node: 2), source: 1) == .overflow(nanoseconds: 2))
  #expect(merge.push(entry(12, node: 2), source: 1) == nil)
  #expect(merge.heldCountMax == 3)
}

@Test func `equal times are ordered by hybrid time, node and sequence`() {
  var merge = KWayMerge<Entry>(sourceCount: 2)
  let first = entry(7, node: 1, sequence: 9)
  let second = entry(7, node: 2, sequence: 3)
  let third = entry(7, node: 2, sequence: 4)
  for entry in [second, third] { #expect(merge.push(entry, source: 0) == nil) }
  #expect(merge.push(first, source: 1) == nil)
  merge.finish(source: 0)
  merge.finish(source: 1)
  #expect([merge.next(), merge.next(), merge.next()] == [first, second, third])
}

@Test func `no events at all end at once`() {
  var merge = KWayMerge<Entry>(sourceCount: 5)
  for source in 0..<5 { merge.finish(source: source) }
  #expect(merge.next() == nil && merge.isFinished && merge.heldCountMax == 0)
}

@Test func `a source that is added later cannot come before what was given out`() {
  var merge = KWayMerge<Entry>(sourceCount: 1)
  for time in [10, 20] as [Int64] { #expect(merge.push(entry(time), source: 0) == nil) }
  #expect(merge.next()?.timeNanoseconds == 10)
  for _ in 1...4 { merge.addSource() }
  #expect(merge.sourceCount == 5 && merge.next() == nil)
  #expect(merge.push(entry(10, node: 5), source: 4) == .behindWatermark(nanoseconds: 1))
  #expect(merge.push(entry(11, node: 5), source: 4) == nil)
  for source in 0..<5 { merge.finish(source: source) }
  #expect([merge.next(), merge.next(), merge.next()].map { $0?.timeNanoseconds } == [11, 20, nil])
  #expect(merge.isFinished)
}
