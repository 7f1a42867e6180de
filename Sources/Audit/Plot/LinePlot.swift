/// One line, band or row of dots of a plot.
package struct PlotSeries: Sendable {
  /// How it is drawn.
  package enum Style: Sendable {
    /// A line through the points.
    case line
    /// A line through the points, dashed.
    case dashed
    /// Dots.
    case dots
    /// The area between `y` and `y2` of the points.
    case band
  }

  /// Its name in the legend; empty: it is not named there.
  package var name: String
  /// How it is drawn.
  package var style: Style
  /// Which of the colours.
  package var color: Int
  /// Its points, by ascending x; `y2` is a band's other side.
  package var points: [(x: Double, y: Double, y2: Double)]

  /// A series of points.
  package init(
    _ name: String, _ style: Style, color: Int, _ points: [(x: Double, y: Double)]
  ) {
    self.name = name
    self.style = style
    self.color = color
    self.points = points.map { ($0.x, $0.y, $0.y) }
  }

  /// A band between two values.
  package init(
    band name: String, color: Int, _ points: [(x: Double, low: Double, high: Double)]
  ) {
    self.name = name
    style = .band
    self.color = color
    self.points = points.map { ($0.x, $0.low, $0.high) }
  }
}

/// A picture of series over two axes, as SVG 1.1 without script or font of its own.
package struct LinePlot: Sendable {
  /// Told apart by readers who do not see all colours (Okabe and Ito 2008).
  private static let colors = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444",
  ]
  private static let (left, right, top, bottom) = (72.0, 20.0, 58.0, 50.0)

  /// What it shows.
  package var title: String
  /// The axis below.
  package var horizontal: PlotAxis
  /// The axis at the left.
  package var vertical: PlotAxis
  /// What is drawn, in this order.
  package var series: [PlotSeries]
  /// Whether the vertical axis begins at 0.
  package var includesZero: Bool
  /// Its size, pixels.
  package var size: (width: Double, height: Double)

  /// A plot of a size in pixels.
  package init(
    _ title: String, _ horizontal: PlotAxis, _ vertical: PlotAxis, includesZero: Bool = false,
    size: (width: Double, height: Double) = (880, 320), _ series: [PlotSeries]
  ) {
    self.title = title
    self.horizontal = horizontal
    self.vertical = vertical
    self.includesZero = includesZero
    self.size = size
    self.series = series
  }

  /// The picture as an element of its own.
  package var svg: String {
    #"<svg xmlns="http://www.w3.org/2000/svg" width="\#(PlotText.coordinate(size.width))""#
      + #" height="\#(PlotText.coordinate(size.height))" viewBox="0 0"#
      + #" \#(PlotText.coordinate(size.width)) \#(PlotText.coordinate(size.height))" role="img""#
      + #" font-family="sans-serif" font-size="12">"#
      + #"<title>\#(PlotText.escaped(title))</title>"#
      + #"<rect width="100%" height="100%" fill="white"/>"# + elements + "</svg>\n"
  }

  /// The picture's elements, for a sheet of several.
  var elements: String {
    let x = horizontal.fitted(to: series.flatMap { $0.points.map(\.x) })
    let y = vertical.fitted(
      to: series.flatMap { $0.points.flatMap { [$0.y, $0.y2] } }, includesZero: includesZero)
    var lines = [label(title, 12, 20, size: 14, weight: "bold")]
    lines += grid(x, y)
    lines += series.map { draw($0, x, y) }
    lines += legend()
    return lines.joined(separator: "\n")
  }

  private var area: (left: Double, right: Double, top: Double, bottom: Double) {
    (Self.left, size.width - Self.right, Self.top, size.height - Self.bottom)
  }

  private func across(_ place: Double) -> Double { area.left + place * (area.right - area.left) }
  private func down(_ place: Double) -> Double { area.bottom - place * (area.bottom - area.top) }

  private func grid(_ x: PlotAxis, _ y: PlotAxis) -> [String] {
    var lines: [String] = []
    for tick in y.ticks {
      guard let place = y.place(tick) else { continue }
      lines.append(
        line(area.left, down(place), area.right, down(place), tick == 0 ? "#888" : "#ddd"))
      lines.append(label(PlotText.number(tick), area.left - 6, down(place) + 4, anchor: "end"))
    }
    for tick in x.ticks {
      guard let place = x.place(tick) else { continue }
      lines.append(line(across(place), area.top, across(place), area.bottom, "#eee"))
      lines.append(label(PlotText.number(tick), across(place), area.bottom + 16, anchor: "middle"))
    }
    lines.append(line(area.left, area.bottom, area.right, area.bottom, "#444"))
    lines.append(line(area.left, area.top, area.left, area.bottom, "#444"))
    let middle = (area.left + area.right) / 2
    lines.append(label(x.title, middle, area.bottom + 36, anchor: "middle"))
    let center = PlotText.coordinate((area.top + area.bottom) / 2)
    lines.append(
      #"<text transform="translate(16,\#(center)) rotate(-90)" text-anchor="middle">"#
        + "\(PlotText.escaped(y.title))</text>")
    return lines
  }

  private func draw(_ series: PlotSeries, _ x: PlotAxis, _ y: PlotAxis) -> String {
    let color = Self.colors[series.color % Self.colors.count]
    func points(_ value: KeyPath<(x: Double, y: Double, y2: Double), Double>) -> [String] {
      series.points.compactMap { point in
        guard let across = x.place(point.x), let down = y.place(point[keyPath: value]) else {
          return nil
        }
        return PlotText.coordinate(self.across(across)) + "," + PlotText.coordinate(self.down(down))
      }
    }
    switch series.style {
    case .line, .dashed:
      let dashes = series.style == .dashed ? #" stroke-dasharray="6 4""# : ""
      return #"<polyline fill="none" stroke="\#(color)" stroke-width="1.5"\#(dashes) points=""#
        + points(\.y).joined(separator: " ") + #""/>"#
    case .dots:
      return points(\.y).map { point in
        let parts = point.split(separator: ",")
        return #"<circle cx="\#(parts[0])" cy="\#(parts[1])" r="2.5" fill="\#(color)"/>"#
      }.joined()
    case .band:
      let around = points(\.y) + points(\.y2).reversed()
      return #"<polygon fill="\#(color)" fill-opacity="0.18" points=""#
        + around.joined(separator: " ") + #""/>"#
    }
  }

  private func legend() -> [String] {
    var x = area.left
    var lines: [String] = []
    for series in series where !series.name.isEmpty {
      let color = Self.colors[series.color % Self.colors.count]
      switch series.style {
      case .band, .dots:
        lines.append(
          #"<rect x="\#(PlotText.coordinate(x))" y="32" width="14" height="10" fill="\#(color)""#
            + #" fill-opacity="\#(series.style == .band ? "0.25" : "1")"/>"#)
      case .line: lines.append(line(x, 37, x + 14, 37, color, width: 2))
      case .dashed: lines.append(line(x, 37, x + 14, 37, color, width: 2, dashes: "4 3"))
      }
      lines.append(label(series.name, x + 18, 41))
      x += 34 + Double(series.name.count) * 6.6
    }
    return lines
  }

  private func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ color: String, width: Int = 1,
    dashes: String? = nil
  ) -> String {
    let (a, b) = (PlotText.coordinate(x1), PlotText.coordinate(y1))
    let (c, d) = (PlotText.coordinate(x2), PlotText.coordinate(y2))
    let dashed = dashes.map { #" stroke-dasharray="\#($0)""# } ?? ""
    return #"<line x1="\#(a)" y1="\#(b)" x2="\#(c)" y2="\#(d)" stroke="\#(color)""#
      + #" stroke-width="\#(width)"\#(dashed)/>"#
  }

  private func label(
    _ text: String, _ x: Double, _ y: Double, anchor: String = "start", size: Int = 12,
    weight: String = "normal"
  ) -> String {
    #"<text x="\#(PlotText.coordinate(x))" y="\#(PlotText.coordinate(y))" text-anchor="\#(anchor)""#
      + #" font-size="\#(size)" font-weight="\#(weight)">\#(PlotText.escaped(text))</text>"#
  }
}

/// Several plots of one size below each other, as one SVG picture.
package struct PlotSheet: Sendable {
  private let plots: [LinePlot]

  /// The plots from top to bottom.
  package init(_ plots: [LinePlot]) { self.plots = plots }

  /// The picture.
  package var svg: String {
    let width = PlotText.coordinate(plots.map(\.size.width).max() ?? 0)
    let height = PlotText.coordinate(plots.reduce(0) { $0 + $1.size.height })
    var lines = [
      #"<svg xmlns="http://www.w3.org/2000/svg" width="\#(width)" height="\#(height)" viewBox="0 0"#
        + #" \#(width) \#(height)" font-family="sans-serif" font-size="12">"#,
      #"<rect width="100%" height="100%" fill="white"/>"#,
    ]
    var y = 0.0
    for plot in plots {
      lines.append(
        #"<g transform="translate(0,\#(PlotText.coordinate(y)))">"# + plot.elements + "</g>")
      y += plot.size.height
    }
    return (lines + ["</svg>", ""]).joined(separator: "\n")
  }
}
