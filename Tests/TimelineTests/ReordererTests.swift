import Bytes
import Testing
import Timeline

@Test(arguments: 0..<50 as Range<UInt64>)
func `events out of order within the window come out as a sort would have them`(seed: UInt64) {
  var random = SeededGenerator(seed: seed)
  let window = Int64.random(in: 0...200, using: &random)
  var times: [Int64] = []
  var now: Int64 = 0
  for _ in 0..<500 {
    now += Int64.random(in: 0...20, using: &random)
    times.append(now - Int64.random(in: 0...window, using: &random))
  }
  let entries = times.enumerated().map { entry($1, sequence: UInt64($0)) }
  let (ordered, late, _) = reorder(entries, window: window)
  #expect(late.isEmpty, "seed \(seed)")
  #expect(ordered == entries.sorted(), "seed \(seed)")
}

@Test(arguments: 0..<50 as Range<UInt64>)
func `every event comes out once, in order or reported late, whatever the disorder`(seed: UInt64) {
  var random = SeededGenerator(seed: seed)
  let window = Int64.random(in: 0...50, using: &random)
  let entries = (0..<400).map {
    entry(Int64.random(in: 0...1000, using: &random), sequence: UInt64($0))
  }
  let (ordered, late, _) = reorder(entries, window: window)
  #expect(ordered == ordered.sorted(), "seed \(seed)")
  #expect((ordered + late.map { $0.0 }).sorted() == entries.sorted(), "seed \(seed)")
  var newest = Int64.min
  var expectedLate: [Entry] = []
  for entry in entries {
    if newest != .min && entry.timeNanoseconds < newest - window { expectedLate.append(entry) }
    newest = max(newest, entry.timeNanoseconds)
  }
  #expect(late.map { $0.0 } == expectedLate, "seed \(seed)")
}

@Test func `an event behind the window says by how much`() {
  let (ordered, late, _) = reorder([entry(1000), entry(2000), entry(1899)], window: 100)
  #expect(ordered.map(\.timeNanoseconds) == [1000, 2000])
  #expect(late.map { $0.1 } == [.behindWindow(nanoseconds: 1)])
}

@Test func `an event at the window's edge is still in time`() {
  let (ordered, late, _) = reorder([entry(1000), entry(2000), entry(1900)], window: 100)
  #expect(ordered.map(\.timeNanoseconds) == [1000, 1900, 2000])
  #expect(late.isEmpty)
}

@Test func `a promise releases events and makes earlier ones late`() {
  var reorderer = Reorderer<Entry>(windowNanoseconds: 1_000_000)
  #expect(reorderer.push(entry(10)) == nil)
  #expect(reorderer.pop() == nil)
  reorderer.advance(toNanoseconds: 50)
  #expect(reorderer.pop()?.timeNanoseconds == 10)
  #expect(reorderer.push(entry(49)) == .behindWatermark(nanoseconds: 1))
  #expect(reorderer.push(entry(50)) == nil)
  #expect(reorderer.lateCount == 1)
}

@Test func `a full window gives the oldest out early and reports what it could not place`() {
  var reorderer = Reorderer<Entry>(windowNanoseconds: 1_000_000, capacity: 3)
  for time in [40, 30, 20, 10] as [Int64] { #expect(reorderer.push(entry(time)) == nil) }
  #expect(reorderer.pop()?.timeNanoseconds == 10)
  #expect(reorderer.pop() == nil)
  #expect(reorderer.push(entry(5)) == .overflow(nanoseconds: 5))
  #expect(reorderer.push(entry(15)) == nil)
  #expect(reorderer.pop()?.timeNanoseconds == 15)
  #expect(reorderer.heldCountMax == 4)
  #expect(reorderer.overflowCount == 2)
}

@Test func `nothing in gives nothing out`() {
  let (ordered, late, heldMax) = reorder([], window: 10)
  #expect(ordered.isEmpty && late.isEmpty && heldMax == 0)
}

@Test func `times at the ends of the range do not trap`() {
  let times: [Int64] = [.min, .max, 0, .min + 1, .max - 1]
  let (ordered, late, _) = reorder(times.map { entry($0) }, window: .max)
  #expect(ordered.count + late.count == times.count)
}
