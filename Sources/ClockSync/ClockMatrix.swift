/// How far several clocks are apart as each measures the others, and what follows from it.
package struct ClockMatrix: Hashable, Sendable {
  /// What one clock's node measures of another's.
  package struct Measure: Hashable, Sendable {
    /// The other clock − one's own, nanoseconds: the likely value.
    package var offset: Int64
    /// It is certainly within ± this, nanoseconds; not negative.
    package var error: Int64
    /// The offset's own noise, nanoseconds: what it may well be off even over a path that is as long one way
    /// as the other. Not negative.
    package var noise: Int64

    /// A measure from its fields.
    package init(offset: Int64, error: Int64, noise: Int64) {
      self.offset = offset
      self.error = error
      self.noise = noise
    }
  }

  /// A clock that all others are apart from, while they agree among themselves.
  package struct Outlier: Hashable, Sendable {
    /// Its place.
    package let place: Int
    /// That clock − the others, nanoseconds: the median of what they measure.
    package let offset: Int64
  }

  /// Two that measure each other differently than their errors allow: one of them says less than the truth.
  package struct Contradiction: Hashable, Sendable {
    /// One of them.
    package let first: Int
    /// The other.
    package let second: Int
    /// Sum of both offsets, nanoseconds: 0 were both right.
    package let sum: Int64
  }

  /// Three clocks around which the offsets do not add up to nothing. No clocks can do that: they are three
  /// numbers, and their differences cancel. A path that is longer one way than the other can.
  package struct OpenLoop: Hashable, Sendable {
    /// Ascending.
    package let places: [Int]
    /// The sum of the offsets around the loop, nanoseconds.
    package let sum: Int64
    /// At least one of the three paths takes so much longer one way than the other, nanoseconds: an offset
    /// is off by half of that, and three of them share the sum.
    package var asymmetryMin: Int64 { Int64(clamping: sum.magnitude / 3 * 2) }
  }

  /// What clocks may be apart before it is worth a word, nanoseconds.
  package static let tolerance: Int64 = 1_000_000
  /// What a loop may be open before it is, nanoseconds: what kernels do to packets.
  package static let loopTolerance: Int64 = 50_000

  /// How many clocks.
  package let count: Int
  private var measures: [Measure?]

  /// `count` clocks that nobody has measured yet.
  package init(count: Int) {
    self.count = count
    measures = Array(repeating: nil, count: count * count)
  }

  /// What the node at place `row` measures of the clock at `column`.
  package subscript(row: Int, column: Int) -> Measure? {
    get { measures[row * count + column] }
    set { measures[row * count + column] = newValue }
  }

  /// Those that are alone; with fewer than three clocks nobody is.
  package var outliers: [Outlier] {
    guard count > 2 else { return [] }
    return (0..<count).compactMap { place in
      let others = (0..<count).filter { $0 != place }
      guard others.allSatisfy({ isApart($0, place) }),
        others.allSatisfy({ one in
          others.allSatisfy { $0 == one || measure(one, $0) != nil && !isApart(one, $0) }
        })
      else { return nil }
      let offsets = others.compactMap { measure($0, place)?.offset }.sorted()
      return Outlier(place: place, offset: offsets.isEmpty ? 0 : offsets[offsets.count / 2])
    }
  }

  /// Pairs that contradict each other.
  package var contradictions: [Contradiction] {
    pairs.compactMap { first, second in
      guard let there = self[first, second], let back = self[second, first] else { return nil }
      let sum = there.offset &+ back.offset
      guard sum.magnitude > (there.error &+ back.error).magnitude else { return nil }
      return Contradiction(first: first, second: second, sum: sum)
    }
  }

  /// Loops of three that do not close (Geng et al., "Exploiting a natural network effect for scalable,
  /// fine-grained clock synchronization", NSDI 2018, §4.2), by more than three times their noise.
  package var openLoops: [OpenLoop] {
    var loops: [OpenLoop] = []
    for (first, second) in pairs {
      for third in 0..<count where third > second {
        guard let one = measure(first, second), let two = measure(second, third),
          let three = measure(third, first)
        else { continue }
        let sum = one.offset &+ two.offset &+ three.offset
        let noise = 3 * (one.noise + two.noise + three.noise) + Self.loopTolerance
        guard sum.magnitude > UInt64(noise) else { continue }
        loops.append(OpenLoop(places: [first, second, third], sum: sum))
      }
    }
    return loops
  }

  /// The row's measure of the column, or the other way round where only that is there.
  private func measure(_ row: Int, _ column: Int) -> Measure? {
    if let measure = self[row, column] { return measure }
    guard var back = self[column, row] else { return nil }
    back.offset = 0 &- back.offset
    return back
  }

  private func isApart(_ row: Int, _ column: Int) -> Bool {
    guard let measure = measure(row, column) else { return false }
    return measure.offset.magnitude > UInt64(measure.error) + UInt64(Self.tolerance)
  }

  private var pairs: [(Int, Int)] {
    (0..<count).flatMap { first in (first + 1..<max(first + 1, count)).map { (first, $0) } }
  }
}
