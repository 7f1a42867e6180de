import Bytes
import Testing
import Timeline

/// The definition, pair by pair.
private func bruteForce(_ times: [Int64], reference: [Int64]) -> (pairs: UInt64, affected: Set<Int>)
{
  var pairs: UInt64 = 0
  var affected: Set<Int> = []
  for first in times.indices {
    for second in times.indices where reference[first] < reference[second] {
      guard times[first] > times[second] else { continue }
      pairs += 1
      affected.formUnion([first, second])
    }
  }
  return (pairs, affected)
}

@Test(arguments: 0..<80 as Range<UInt64>)
func `inversions and affected entries are those that counting every pair finds`(seed: UInt64) {
  var random = SeededGenerator(seed: seed)
  let count = Int.random(in: 0...150, using: &random)
  let spread = Int64.random(in: 0...300, using: &random)
  let times = (0..<count).map { Int64($0) + Int64.random(in: 0...spread, using: &random) }
  let expected = bruteForce(times, reference: times.indices.map(Int64.init))
  let found = disorder(of: times, affectedLimit: count)
  #expect(found.invertedPairCount == expected.pairs, "seed \(seed)")
  #expect(found.affectedPositions == expected.affected.sorted(), "seed \(seed)")
  #expect(found.affectedCount == expected.affected.count, "seed \(seed)")
  let sorted = times.enumerated().sorted { ($0.element, $0.offset) < ($1.element, $1.offset) }
  let displacement = sorted.enumerated().map { abs($0.offset - $0.element.offset) }.max() ?? 0
  #expect(found.displacementMax == displacement, "seed \(seed)")
  let adjacent = zip(times, times.dropFirst()).count { $0 > $1 }
  #expect(found.adjacentCount == adjacent, "seed \(seed)")
}

@Test(arguments: 0..<80 as Range<UInt64>)
func `inversions against another order leave out pairs that it ties`(seed: UInt64) {
  var random = SeededGenerator(seed: seed)
  let count = Int.random(in: 0...120, using: &random)
  let reference = (0..<count).map { _ in Int64.random(in: 0...60, using: &random) }
  let times = (0..<count).map { _ in Int64.random(in: -30...30, using: &random) }
  let expected = bruteForce(times, reference: reference)
  let found = disorder(of: times, inOrderOf: reference, affectedLimit: count)
  #expect(found.invertedPairCount == expected.pairs, "seed \(seed)")
  #expect(found.affectedPositions.sorted() == expected.affected.sorted(), "seed \(seed)")
}

@Test func `a list in order has nothing to report`() {
  let found = disorder(of: [1, 1, 2, 3, 3], affectedLimit: 5)
  var expected = Disorder()
  expected.count = 5
  #expect(found == expected)
}

@Test func `a reversed list inverts every pair`() {
  let found = disorder(of: Array(stride(from: 1000, to: 0, by: -1)), affectedLimit: 3)
  #expect(found.invertedPairCount == 499_500)
  #expect(found.displacementMax == 999 && found.regressionMax == 999)
  #expect(found.affectedPositions == [0, 1, 2] && found.affectedCount == 1000)
}

@Test func `the affected list stops at its limit and the count does not`() {
  let found = disorder(of: [2, 1, 4, 3, 6, 5], affectedLimit: 2)
  #expect(found.affectedPositions == [0, 1] && found.affectedCount == 6)
}
