/// How far a list of times is from being in order.
public struct Disorder: Hashable, Sendable {
  /// How many times.
  public var count = 0
  /// Pairs of which the later in the list has the smaller time (Kendall's distance to the ordered
  /// list). Exact.
  public var invertedPairCount: UInt64 = 0
  /// Neighbours of which the later has the smaller time.
  public var adjacentCount = 0
  /// Entries that belong to at least one inverted pair.
  public var affectedCount = 0
  /// The most places that an entry is away from where a stable sort puts it.
  public var displacementMax = 0
  /// Where that entry stands in the list; nil while nothing is out of place.
  public var displacedPosition: Int?
  /// The most that an entry's time is below one that stands before it, in the times' unit.
  public var regressionMax: Int64 = 0
  /// The first affected positions, ascending, as many as were asked for.
  public var affectedPositions: [Int] = []

  /// Nothing out of order.
  public init() {}
}

/// A time with the place it had before sorting.
struct PlacedTime: BitwiseCopyable {
  var time: Int64
  var position: Int
}

/// Measures how far `times` is from ascending; equal times are in order either way.
///
/// O(n log n) time in the worst case, near O(n) for a nearly ordered list; 40 bytes an entry of
/// working memory. `affectedLimit` is how many positions the result lists.
public func disorder(of times: [Int64], affectedLimit: Int = 0) -> Disorder {
  var result = Disorder()
  result.count = times.count
  guard times.count > 1 else { return result }
  for position in 1..<times.count where times[position] < times[position - 1] {
    result.adjacentCount += 1
  }
  guard result.adjacentCount > 0 else { return result }
  markAffected(times, limit: affectedLimit, into: &result)
  var placed = place(times)
  result.invertedPairCount = sortCountingInversions(&placed)
  for (position, entry) in placed.enumerated() {
    let displacement = abs(entry.position - position)
    if displacement > result.displacementMax {
      result.displacementMax = displacement
      result.displacedPosition = entry.position
    }
  }
  return result
}

/// Measures how far `times` is from ascending when the events stand in the order of `reference`.
///
/// Where the reference does not tell two events apart their times are taken as in order. Positions
/// in the result are those of the arrays, not of the reference order.
///
/// Precondition: both have the same count.
public func disorder(
  of times: [Int64], inOrderOf reference: [Int64], affectedLimit: Int = 0
) -> Disorder {
  precondition(times.count == reference.count)
  var placed = place(times)
  _ = sortCountingInversions(&placed)
  // Stable, so that what the reference ties stays in the order of the times.
  for index in placed.indices { placed[index].time = reference[placed[index].position] }
  _ = sortCountingInversions(&placed)
  let ordered = placed.map { times[$0.position] }
  var result = disorder(of: ordered, affectedLimit: affectedLimit)
  result.affectedPositions = result.affectedPositions.map { placed[$0].position }
  result.displacedPosition = result.displacedPosition.map { placed[$0].position }
  return result
}

private func place(_ times: [Int64]) -> [PlacedTime] {
  times.indices.map { PlacedTime(time: times[$0], position: $0) }
}

/// An entry is in an inverted pair when something before it is greater or something after it smaller.
private func markAffected(_ times: [Int64], limit: Int, into result: inout Disorder) {
  var smallestFrom = times
  for position in stride(from: times.count - 2, through: 0, by: -1) {
    smallestFrom[position] = min(times[position], smallestFrom[position + 1])
  }
  var greatest = Int64.min
  for (position, time) in times.enumerated() {
    let isBehind = greatest > time
    let isAhead = position + 1 < times.count && smallestFrom[position + 1] < time
    if isBehind {
      result.regressionMax = max(result.regressionMax, distance(from: time, to: greatest))
    }
    greatest = max(greatest, time)
    guard isBehind || isAhead else { continue }
    result.affectedCount += 1
    if result.affectedPositions.count < limit { result.affectedPositions.append(position) }
  }
}

/// Sorts stably by time and returns how many pairs were inverted: bottom-up merge sort that touches
/// only where two runs overlap.
func sortCountingInversions(_ entries: inout [PlacedTime]) -> UInt64 {
  let count = entries.count
  guard count > 1 else { return 0 }
  let blockCount = 16
  return entries.withUnsafeMutableBufferPointer { entries in
    var inversions: UInt64 = 0
    for start in stride(from: 0, to: count, by: blockCount) {
      inversions += insertionSort(entries, start, min(start + blockCount, count))
    }
    return withUnsafeTemporaryAllocation(of: PlacedTime.self, capacity: count) {
      scratch in
      var width = blockCount
      while width < count {
        for start in stride(from: 0, to: count - width, by: width * 2) {
          let end = min(start + width * 2, count)
          inversions += merge(entries, start, start + width, end, scratch)
        }
        width *= 2
      }
      return inversions
    }
  }
}

private func insertionSort(
  _ entries: UnsafeMutableBufferPointer<PlacedTime>, _ start: Int, _ end: Int
) -> UInt64 {
  var inversions: UInt64 = 0
  for next in (start + 1)..<max(end, start + 1) {
    let entry = entries[next]
    var slot = next
    while slot > start && entries[slot - 1].time > entry.time {
      entries[slot] = entries[slot - 1]
      slot -= 1
    }
    entries[slot] = entry
    inversions += UInt64(next - slot)
  }
  return inversions
}

private func merge(
  _ entries: UnsafeMutableBufferPointer<PlacedTime>, _ start: Int, _ middle: Int, _ end: Int,
  _ scratch: UnsafeMutableBufferPointer<PlacedTime>
) -> UInt64 {
  let rightFirst = entries[middle].time
  guard entries[middle - 1].time > rightFirst else { return 0 }
  // What is already below the right run stays where it is.
  let overlap = firstIndex(in: entries, start, middle) { $0 > rightFirst }
  let leftLast = entries[middle - 1].time
  let stop = firstIndex(in: entries, middle, end) { $0 >= leftLast }
  let leftCount = middle - overlap
  for offset in 0..<leftCount { scratch[offset] = entries[overlap + offset] }
  var inversions: UInt64 = 0
  var left = 0
  var right = middle
  var slot = overlap
  while left < leftCount && right < stop {
    if entries[right].time < scratch[left].time {
      inversions += UInt64(leftCount - left)
      entries[slot] = entries[right]
      right += 1
    } else {
      entries[slot] = scratch[left]
      left += 1
    }
    slot += 1
  }
  while left < leftCount {
    entries[slot] = scratch[left]
    left += 1
    slot += 1
  }
  return inversions
}

private func firstIndex(
  in entries: UnsafeMutableBufferPointer<PlacedTime>, _ start: Int, _ end: Int,
  where isAbove: (Int64) -> Bool
) -> Int {
  var low = start
  var high = end
  while low < high {
    let middle = low + (high - low) / 2
    if isAbove(entries[middle].time) { high = middle } else { low = middle + 1 }
  }
  return low
}
