/// An axis of a plot: where values lie on it, and its ticks.
package struct PlotAxis: Sendable {
  /// How values are spread over it.
  package enum Scale: Sendable {
    /// Evenly.
    case linear
    /// By their decimal logarithm; values must be positive.
    case logarithmic
  }

  /// What it shows, with its unit.
  package let title: String
  /// How values are spread over it.
  package let scale: Scale
  /// Ends and ticks, where they have been found from values.
  private(set) var low = 0.0
  private(set) var high = 1.0
  private(set) var ticks: [Double] = [0, 1]

  /// An axis over no values yet.
  package init(_ title: String, _ scale: Scale = .linear) {
    self.title = title
    self.scale = scale
  }

  /// The same axis, over these values; `includesZero` for quantities that begin there.
  func fitted(to values: [Double], includesZero: Bool = false) -> PlotAxis {
    var axis = self
    let finite = values.filter { $0.isFinite && (scale == .linear || $0 > 0) }
    guard let least = finite.min(), let most = finite.max() else { return axis }
    switch scale {
    case .linear:
      axis.fitLinear(includesZero ? min(0, least) : least, includesZero ? max(0, most) : most)
    case .logarithmic: axis.fitLogarithmic(least, most)
    }
    return axis
  }

  private mutating func fitLinear(_ least: Double, _ most: Double) {
    let span = most > least ? most - least : max(abs(most), 1)
    var step = 1.0
    while step * 10 <= span { step *= 10 }
    while step > span { step /= 10 }
    step *= [0.2, 0.5, 1, 2].first { span / (step * $0) <= 6 } ?? 2
    low = (least / step).rounded(.down) * step
    high = max((most / step).rounded(.up) * step, low + step)
    ticks = (0...Int(((high - low) / step).rounded())).map { low + Double($0) * step }
  }

  private mutating func fitLogarithmic(_ least: Double, _ most: Double) {
    var tick = 1.0
    while tick > least { tick /= 10 }
    while tick * 10 <= least { tick *= 10 }
    low = tick
    ticks = [tick]
    while tick < most || ticks.count < 2 {
      tick *= 10
      ticks.append(tick)
    }
    high = tick
  }

  /// Where a value lies, 0 at the low end, 1 at the high one; nil for one that has no place.
  func place(_ value: Double) -> Double? {
    guard value.isFinite else { return nil }
    switch scale {
    case .linear: return (value - low) / (high - low)
    case .logarithmic:
      return value > 0
        ? (PlotText.log10(value) - PlotText.log10(low))
          / (PlotText.log10(high) - PlotText.log10(low)) : nil
    }
  }
}

/// Numbers and texts as SVG wants them, without a locale.
enum PlotText {
  /// A coordinate, to a tenth of a pixel.
  static func coordinate(_ value: Double) -> String {
    let tenths = Int64((min(max(value, -1e6), 1e6) * 10).rounded())
    let sign = tenths < 0 ? "-" : ""
    return "\(sign)\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
  }

  /// A value to about three digits: 0.05, 1.5, 250, 12,000, 4M.
  static func number(_ value: Double) -> String {
    let size = value.magnitude
    if size == 0 { return "0" }
    for (unit, suffix) in [(1e9, "G"), (1e6, "M"), (1e4, "k")] as [(Double, String)]
    where size >= unit {
      return digits(value / (suffix == "k" ? 1e3 : unit)) + suffix
    }
    return digits(value)
  }

  private static func digits(_ value: Double) -> String {
    let decimals =
      value.magnitude >= 100 ? 0 : value.magnitude >= 10 ? 1 : value.magnitude >= 0.1 ? 2 : 4
    let scale = (0..<decimals).reduce(1.0) { product, _ in product * 10 }
    var text = ReportText.decimal(Int64((value * scale).rounded()), decimals: decimals)
    if text.contains(".") {
      while text.hasSuffix("0") { text.removeLast() }
      if text.hasSuffix(".") { text.removeLast() }
    }
    return text
  }

  /// The text with what SVG and HTML would read as markup escaped.
  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }

  /// The decimal logarithm, to what a picture needs.
  static func log10(_ value: Double) -> Double {
    // value = significand × 2^exponent, 1 ≤ significand < 2: an artanh series in (s − 1) / (s + 1) ≤ 1/3.
    let ratio = (value.significand - 1) / (value.significand + 1)
    let square = ratio * ratio
    var (sum, power) = (0.0, ratio)
    for term in stride(from: 1.0, through: 25, by: 2) {
      sum += power / term
      power *= square
    }
    let ln2 = 0.693_147_180_559_945_3
    return (Double(value.exponent) * ln2 + 2 * sum) / 2.302_585_092_994_045_7
  }
}
