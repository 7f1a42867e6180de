/// Bars in groups, one group for each case and one bar in it for each series.
struct BarPanel: Sendable {
  struct Series: Sendable {
    let name: String
    /// One value for each case; not negative.
    let values: [Double]
  }

  let title: String
  /// What the cases are, under the axis.
  let caseTitle: String
  let cases: [String]
  let series: [Series]
}

/// Panels of bars as one SVG picture, two beside each other (SVG 1.1; no script, no font of its own).
struct BarChart: Sendable {
  private static let panelWidth = 440.0
  private static let panelHeight = 300.0
  /// Of a panel, what is around its bars.
  private static let (left, right, top, bottom) = (64.0, 16.0, 56.0, 52.0)
  private static let titleHeight = 48.0
  /// Told apart by readers who do not see all colours (Okabe and Ito 2008).
  private static let colors = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"]

  let title: String
  let panels: [BarPanel]

  /// The picture.
  var svg: String {
    let rows = (panels.count + 1) / 2
    let width = 2 * Self.panelWidth
    let height = Self.titleHeight + Double(rows) * Self.panelHeight
    var lines = [
      #"<svg xmlns="http://www.w3.org/2000/svg" width="\#(text(width))" height="\#(text(height))""#
        + #" viewBox="0 0 \#(text(width)) \#(text(height))" font-family="sans-serif""#
        + #" font-size="12">"#,
      #"<rect width="100%" height="100%" fill="white"/>"#,
      label(title, x: width / 2, y: 30, anchor: "middle", size: 16),
    ]
    for (place, panel) in panels.enumerated() {
      let x = Double(place % 2) * Self.panelWidth
      let y = Self.titleHeight + Double(place / 2) * Self.panelHeight
      lines.append(#"<g transform="translate(\#(text(x)),\#(text(y)))">"#)
      lines += self.lines(of: panel)
      lines.append("</g>")
    }
    return (lines + ["</svg>", ""]).joined(separator: "\n")
  }

  private func lines(of panel: BarPanel) -> [String] {
    let axis = ValueAxis(maximum: panel.series.flatMap(\.values).max() ?? 0)
    let bottom = Self.panelHeight - Self.bottom
    let height = bottom - Self.top
    func y(_ value: Double) -> Double { bottom - value / axis.end * height }
    var lines = [label(panel.title, x: Self.left, y: 20, size: 13)]
    lines += legend(panel)
    for tick in axis.ticks {
      lines.append(line(y(tick), color: tick == 0 ? "#444" : "#ddd"))
      lines.append(label(axis.text(tick), x: Self.left - 6, y: y(tick) + 4, anchor: "end"))
    }
    let groupWidth = (Self.panelWidth - Self.left - Self.right) / Double(panel.cases.count)
    let barWidth = groupWidth * 0.8 / Double(panel.series.count)
    for (group, name) in panel.cases.enumerated() {
      let start = Self.left + Double(group) * groupWidth
      lines.append(label(name, x: start + groupWidth / 2, y: bottom + 18, anchor: "middle"))
      for (place, series) in panel.series.enumerated() {
        let x = start + groupWidth * 0.1 + Double(place) * barWidth
        let value = series.values[group]
        lines.append(bar(x: x, y: y(value), width: barWidth, height: bottom - y(value), place))
        lines.append(
          label(
            axis.precise(value), x: x + barWidth / 2, y: y(value) - 4, anchor: "middle", size: 10))
      }
    }
    let middle = (Self.left + Self.panelWidth - Self.right) / 2
    return lines + [label(panel.caseTitle, x: middle, y: bottom + 38, anchor: "middle")]
  }

  private func legend(_ panel: BarPanel) -> [String] {
    guard panel.series.count > 1 else { return [] }
    let step = (Self.panelWidth - Self.left) / Double(panel.series.count)
    return panel.series.enumerated().flatMap { place, series in
      let x = Self.left + Double(place) * step
      return [
        bar(x: x, y: 30, width: 10, height: 10, place), label(series.name, x: x + 14, y: 39),
      ]
    }
  }

  private func bar(
    x: Double, y: Double, width: Double, height: Double, _ series: Int
  ) -> String {
    #"<rect x="\#(text(x))" y="\#(text(y))" width="\#(text(width - 1))" height="\#(text(height))""#
      + #" fill="\#(Self.colors[series % Self.colors.count])"/>"#
  }

  private func line(_ y: Double, color: String) -> String {
    #"<line x1="\#(text(Self.left))" x2="\#(text(Self.panelWidth - Self.right))" y1="\#(text(y))""#
      + #" y2="\#(text(y))" stroke="\#(color)"/>"#
  }

  private func label(
    _ content: String, x: Double, y: Double, anchor: String = "start", size: Int = 12
  ) -> String {
    let escaped = content.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    return #"<text x="\#(text(x))" y="\#(text(y))" text-anchor="\#(anchor)" font-size="\#(size)">"#
      + "\(escaped)</text>"
  }

  /// A coordinate, to a tenth of a pixel.
  private func text(_ value: Double) -> String {
    Field.real("", value, decimals: 1).shown.replacing(",", with: "")
  }
}

/// An axis from 0 to a round number at or above a maximum, with four to six ticks.
struct ValueAxis: Sendable {
  /// The last tick.
  let end: Double
  /// Between two ticks: 1, 2, 2.5 or 5 times a power of ten.
  let step: Double

  /// Precondition: the maximum is finite and not negative.
  init(maximum: Double) {
    precondition(maximum.isFinite && maximum >= 0)
    guard maximum > 0 else {
      (end, step) = (1, 0.2)
      return
    }
    var power = 1.0
    while power * 10 <= maximum { power *= 10 }
    while power > maximum { power /= 10 }
    let steps = [0.2, 0.25, 0.5, 1, 2].map { $0 * power }
    step = steps.first { maximum / $0 <= 5 } ?? 2 * power
    end = (maximum / step).rounded(.up) * step
  }

  /// From 0 to ``end``.
  var ticks: [Double] { (0...Int((end / step).rounded())).map { Double($0) * step } }

  /// A tick's text: as many decimals as the step needs.
  func text(_ value: Double) -> String {
    Field.real("", value, decimals: decimals(of: step)).shown
  }

  /// A value's text: to about three digits.
  func precise(_ value: Double) -> String {
    Field.real("", value, decimals: value >= 100 ? 0 : value >= 10 ? 1 : 2).shown
  }

  private func decimals(of step: Double) -> Int {
    (0...6).first { places in
      let scaled = step * (0..<places).reduce(1.0) { product, _ in product * 10 }
      return (scaled - scaled.rounded()).magnitude < 1e-6
    } ?? 6
  }
}
