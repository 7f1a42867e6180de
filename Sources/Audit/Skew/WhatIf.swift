package import Bytes
package import Timeline

/// A clock that is wrong in a way that somebody asks about.
package struct InjectedSkew: Hashable, Sendable {
  /// Whose clock.
  package var node: NodeID
  /// Off by so much from the log's start, nanoseconds.
  package var offset: Int64 = 0
  /// And by so much more with time, parts per billion.
  package var drift: Int64 = 0
  /// And by a normal distribution of this deviation, nanoseconds.
  package var jitter: Int64 = 0

  /// A clock that is right.
  package init(node: NodeID) { self.node = node }

  /// Reads `node2=+250ms,drift=40ppm,jitter=2ms`; each part may be left out but the node.
  package init?(_ text: String) {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard let first = parts.first, let mark = first.firstIndex(of: "=") else { return nil }
    var name = first[..<mark]
    if name.hasPrefix("node") { name = name.dropFirst(4) }
    guard name.allSatisfy(\.isNumber), let number = UInt16(name), number > 0,
      number <= NodeID.countMax
    else { return nil }
    node = NodeID(number)
    var names: Set<String> = []
    for (place, part) in parts.enumerated() {
      guard let mark = part.firstIndex(of: "=") else { return nil }
      let key = place == 0 ? "offset" : String(part[..<mark])
      let value = String(part[part.index(after: mark)...])
      guard names.insert(key).inserted, take(key, value) else { return nil }
    }
  }

  private mutating func take(_ key: String, _ value: String) -> Bool {
    switch key {
    case "offset":
      guard let found = DurationText.nanoseconds(value) else { return false }
      offset = found
    case "jitter":
      guard let found = DurationText.nanoseconds(value), found >= 0 else { return false }
      jitter = found
    case "drift":
      guard value.hasSuffix("ppm"), let rate = DurationText.thousandths(String(value.dropLast(3)))
      else { return false }
      drift = rate
    default: return false
    }
    return true
  }
}

/// Ordering errors at one share of the injected skew.
package struct WhatIfDose: Sendable {
  /// The share, thousandths: 1000 is what was asked for.
  package let permille: Int
  /// Payments by the wrong clocks, against their order by corrected time.
  package let disorder: Disorder
}

/// What a wrong clock would have done to the order of a recorded log.
package struct WhatIfReport: Sendable {
  /// The shares measured: none, up to twice what was asked for.
  private static let doses = [0, 62, 125, 250, 500, 750, 1000, 1500, 2000]

  /// What was injected.
  package let skews: [InjectedSkew]
  /// By share, ascending.
  package let doses: [WhatIfDose]
  /// Seed of the jitter.
  package let seed: UInt64

  /// What was asked for.
  package var asked: Disorder {
    doses.first { $0.permille == 1000 }?.disorder ?? Disorder()
  }

  init(_ skews: [InjectedSkew], _ payments: [SkewSample], seed: UInt64) {
    self.skews = skews
    self.seed = seed
    let truth = payments.map(\.corrected)
    let start = truth.min() ?? 0
    var wrong = [InjectedSkew?](repeating: nil, count: Int(NodeID.countMax) + 1)
    for skew in skews { wrong[Int(skew.node.rawValue)] = skew }
    doses = Self.doses.map { permille in
      // The same jitter at every share, only larger.
      var random = SeededGenerator(seed: seed)
      let times = payments.map { sample in
        guard let skew = wrong[Int(sample.node)] else { return sample.corrected }
        let span = Int128(sample.corrected &- start)
        var error = Int128(skew.offset) + span * Int128(skew.drift) / 1_000_000_000
        if skew.jitter > 0 { error += Int128(random.normal() * Double(skew.jitter)) }
        return Int64(clamping: Int128(sample.corrected) + error * Int128(permille) / 1000)
      }
      return WhatIfDose(permille: permille, disorder: disorder(of: times, inOrderOf: truth))
    }
  }
}

extension SeededGenerator {
  /// About the standard normal distribution: the sum of twelve even ones less six.
  fileprivate mutating func normal() -> Double {
    (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &self) }
  }
}

/// Durations as people write them.
package enum DurationText {
  private static let units: [(suffix: String, nanoseconds: Int64)] = [
    ("ns", 1), ("us", 1_000), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000),
  ]

  /// Reads `100us`, `+250ms`, `-1.5s`; nil for what is none, or is beyond 2^53 ns.
  package static func nanoseconds(_ text: String) -> Int64? {
    for (suffix, unit) in units where text.hasSuffix(suffix) {
      guard let number = thousandths(String(text.dropLast(suffix.count))) else { continue }
      let (product, isTooLarge) = number.multipliedReportingOverflow(by: unit)
      guard !isTooLarge, product.magnitude / 1000 < 1 << 53 else { return nil }
      return product / 1000
    }
    return nil
  }

  /// Reads a decimal number of up to three places as its thousandfold.
  static func thousandths(_ text: String) -> Int64? {
    var digits = text[...]
    let isNegative = digits.hasPrefix("-")
    if isNegative || digits.hasPrefix("+") { digits = digits.dropFirst() }
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), !parts[0].isEmpty, parts[0].count <= 15,
      parts.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } })
    else { return nil }
    let places = parts.count == 2 ? parts[1] : ""
    guard parts.count == 1 || (1...3).contains(places.count), let whole = Int64(parts[0]),
      let rest = Int64(places + String(repeating: "0", count: 3 - places.count))
    else { return nil }
    return (whole * 1000 + rest) * (isNegative ? -1 : 1)
  }
}
