import Bytes

/// What a stream of chance is for. Each concern has its own, so that more draws in one do not shift
/// the others.
enum Concern: UInt64 {
  case options = 1
  case network, disk, clock, workload, faults, nodes, probes
}

extension SeededGenerator {
  /// The stream of one concern of a seed.
  init(seed: UInt64, concern: Concern) {
    var mixer = SeededGenerator(seed: seed ^ (concern.rawValue &* 0x9e37_79b9_7f4a_7c15))
    self.init(seed: mixer.next() ^ mixer.next())
  }

  /// True in `permille` of 1000 draws.
  mutating func chance(_ permille: Int) -> Bool {
    permille > 0 && Int.random(in: 0..<1000, using: &self) < permille
  }

  /// A number of the range, both ends included.
  mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

  /// A span of the range, nanoseconds.
  mutating func span(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &self) }

  /// A span of the range whose logarithm is even: short ones are as likely as long ones.
  mutating func logarithmicSpan(_ range: ClosedRange<Int64>) -> Int64 {
    let low = 63 - max(range.lowerBound, 1).leadingZeroBitCount
    let high = 63 - max(range.upperBound, 1).leadingZeroBitCount
    let bit = number(low...high)
    return min(
      max((1 << Int64(bit)) + span(0...(1 << Int64(bit)) - 1), range.lowerBound), range.upperBound)
  }

  /// One of the elements, which are not empty.
  mutating func pick<T>(_ elements: [T]) -> T { elements[number(0...elements.count - 1)] }
}

/// Spans of virtual time, nanoseconds.
enum Span {
  static let microsecond: Int64 = 1_000
  static let millisecond: Int64 = 1_000_000
  static let second: Int64 = 1_000_000_000
}
