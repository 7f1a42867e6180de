import Bytes
import Testing
import Timeline

@Suite struct IntervalPairsTests {
  @Test func `pairs and overlaps are those of a count of all pairs`() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for round in 0..<60 {
      let intervals = (0..<Int.random(in: 0...40, using: &random)).map { place in
        let middle = Int64(place) + Int64.random(in: -20...20, using: &random)
        let bound = Int64.random(in: 0...6, using: &random)
        return TimeInterval(earliest: middle - bound, latest: middle + bound)
      }
      var slow = IntervalPairs()
      var overlaps = intervals.map { _ in 0 }
      for (place, first) in intervals.enumerated() {
        for (other, second) in intervals.enumerated() where other > place {
          if first.latest < second.earliest {
            slow.ordered += 1
          } else if second.latest < first.earliest {
            slow.reversed += 1
          } else {
            slow.undecided += 1
            overlaps[place] += 1
            overlaps[other] += 1
          }
        }
      }
      #expect(countPairs(intervals) == slow, "seed \(seed), round \(round)")
      #expect(overlapCounts(intervals) == overlaps, "seed \(seed), round \(round)")
    }
  }
}
