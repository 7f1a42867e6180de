import Bytes
import HybridTime
import Timeline

/// The skew report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere.
struct SkewPage {
  /// Most points that a line is drawn with: it is as wide as the page.
  private static let pointCountMax = 800
  /// Most intervals that are drawn one by one.
  private static let intervalCountMax = 60

  private let report: SkewReport
  private let start: Int64

  init(_ report: SkewReport) {
    self.report = report
    start = report.byNode.flatMap { $0.samples.map(\.corrected) }.min() ?? 0
  }

  /// The page.
  var html: String {
    let tables = report.sections(limit: 200).map(\.html).joined()
    let pictures = plots.map { "<figure>\($0.svg)</figure>" }.joined(separator: "\n")
    return """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><title>Clocks and order: skew report</title>
      <meta name="viewport" content="width=device-width">
      <style>
      body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color: #222 }
      h1 { font-size: 1.6em } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #ccc }
      table { border-collapse: collapse; margin: 1em 0; font-size: 13px } td, th { padding: .25em .8em .25em 0;
      text-align: left; border-bottom: 1px solid #eee; font-variant-numeric: tabular-nums }
      td.n, th.n { text-align: right; white-space: nowrap } figure { margin: 1.5em 0 } svg { max-width: 100%; height: auto }
      p.lead { font-size: 1.1em } .scroll { overflow-x: auto }
      </style></head><body>
      <h1>Clocks and order</h1>
      <p class="lead">\(PlotText.escaped(lead))</p>
      \(pictures)
      \(tables)
      </body></html>

      """
  }

  private var lead: String {
    let payments = ReportText.count(report.paymentCount, "payment")
    let from = TimeText.text(nanoseconds: start, decimals: 3)
    let raw = ReportText.grouped(report.rawAgainstCorrected.invertedPairCount)
    let bound = report.bounds.map { ReportText.duration($0.stamped.median) } ?? "–"
    return
      "\(payments) of \(report.nodes.count) nodes, from \(from). Their median error bound is \(bound). By the "
      + "nodes' own clocks \(raw) pairs of them would stand the other way round than by corrected time."
  }

  // MARK: - Plots

  private var plots: [LinePlot] {
    [offsetPlot, boundPlot, causalityPlot, inversionPlot, overlapPlot, intervalPlot].compactMap {
      $0
    } + dosePlots
  }

  /// Seconds since the start.
  private func x(_ sample: SkewSample) -> Double { Double(sample.corrected &- start) * 1e-9 }

  private func thinned<T>(_ values: [T]) -> [T] {
    guard values.count > Self.pointCountMax else { return values }
    return (0..<Self.pointCountMax).map { values[$0 * values.count / Self.pointCountMax] }
  }

  private let seconds = PlotAxis("seconds since the first stamp")

  private var offsetPlot: LinePlot {
    let series = report.byNode.enumerated().flatMap { place, node -> [PlotSeries] in
      let samples = thinned(node.samples)
      // What a clock that nothing vouches for says of itself is no measurement.
      return [
        PlotSeries(
          band: "", color: place,
          samples.filter(\.isComparable).map {
            (x($0), Double($0.offset &- $0.bound) * 1e-6, Double($0.offset &+ $0.bound) * 1e-6)
          }),
        PlotSeries(
          "node \(node.node.rawValue)", .line, color: place,
          samples.map { (x($0), Double($0.offset) * 1e-6) }),
      ]
    }
    return LinePlot(
      "How far each node's system clock was ahead of corrected time; the band is the bound",
      seconds,
      PlotAxis("milliseconds"), series)
  }

  private var boundPlot: LinePlot {
    let series = report.byNode.enumerated().flatMap { place, node -> [PlotSeries] in
      let both = thinned(Array(zip(node.samples, node.tightened)))
      return [
        PlotSeries(
          "node \(node.node.rawValue)", .line, color: place,
          both.map { (x($0.0), Double(max($0.0.bound, 1)) * 1e-3) }),
        PlotSeries(
          "narrowed", .dashed, color: place,
          both.map { (x($0.0), Double(max($0.1.reach, 1)) * 1e-3) }),
      ]
    }
    return LinePlot(
      "Error bound of each node's stamps", seconds, PlotAxis("microseconds", .logarithmic), series)
  }

  /// What cause and effect leave for the corrected clocks' difference: it must hold zero, give or take the bounds.
  private var causalityPlot: LinePlot? {
    let series = report.causality.pairs.enumerated().compactMap { place, pair -> PlotSeries? in
      let points = zip(report.partStarts, pair.correctedByPart).compactMap { start, interval in
        interval.range.map {
          (
            Double(start &- self.start) * 1e-9, Double($0.lowerBound) * 1e-3,
            Double($0.upperBound) * 1e-3
          )
        }
      }
      guard points.count > 1 else { return nil }
      return PlotSeries(
        band: "node \(pair.second.rawValue) − node \(pair.first.rawValue)", color: place, points)
    }
    guard !series.isEmpty else { return nil }
    return LinePlot(
      "What cause and effect allow the corrected clocks to be apart", seconds,
      PlotAxis("microseconds"), series)
  }

  /// Payments so far that stand before one with an earlier time.
  private var inversionPlot: LinePlot? {
    guard report.payments.count > 1 else { return nil }
    func line(_ name: String, _ color: Int, _ time: (SkewSample) -> Int64) -> PlotSeries {
      var greatest = Int64.min
      var behind = 0
      var points: [(x: Double, y: Double)] = []
      for (place, payment) in report.payments.enumerated() {
        if time(payment) < greatest { behind += 1 }
        greatest = max(greatest, time(payment))
        points.append((Double(place + 1), Double(behind)))
      }
      return PlotSeries(name, .line, color: color, thinned(points) + points.suffix(1))
    }
    return LinePlot(
      "Payments behind an earlier one of the log", PlotAxis("payments in the log's order"),
      PlotAxis("behind so far"), includesZero: true,
      [
        line("by raw clocks", 1, \.raw), line("by corrected time", 0, \.corrected),
        line("by hybrid time", 2, \.hybridWall),
      ])
  }

  private var overlapPlot: LinePlot? {
    let payments = report.payments.filter(\.isComparable)
    guard payments.count > 1 else { return nil }
    let counts = overlapCounts(payments.map(\.interval))
    let points = zip(payments, counts).map { (x: x($0), y: Double($1)) }.sorted { $0.x < $1.x }
    return LinePlot(
      "Other payments whose interval each payment's touches: time cannot order them", seconds,
      PlotAxis("payments"), includesZero: true, [PlotSeries("", .dots, color: 0, thinned(points))])
  }

  /// Intervals one below the other, about the payment that touches most others.
  private var intervalPlot: LinePlot? {
    let payments = report.payments.filter(\.isComparable).sorted { $0.corrected < $1.corrected }
    guard payments.count > 1 else { return nil }
    let counts = overlapCounts(payments.map(\.interval))
    let most = counts.indices.max { counts[$0] < counts[$1] } ?? 0
    let first = max(
      0, min(most - Self.intervalCountMax / 2, payments.count - Self.intervalCountMax))
    let shown = payments[first..<min(first + Self.intervalCountMax, payments.count)]
    let zero = shown.first?.corrected ?? 0
    let nodes = report.byNode.map(\.node.rawValue)
    let series = nodes.enumerated().flatMap { color, node -> [PlotSeries] in
      let own = shown.enumerated().filter { $0.element.node == node }
      return own.enumerated().map { place, entry in
        let (row, sample) = (Double(entry.offset), entry.element)
        return PlotSeries(
          place == 0 ? "node \(node)" : "", .line, color: color,
          [
            (Double(sample.interval.earliest &- zero) * 1e-3, row),
            (Double(sample.interval.latest &- zero) * 1e-3, row),
          ])
      } + [
        PlotSeries(
          "", .dots, color: color,
          own.map { (Double($0.element.corrected &- zero) * 1e-3, Double($0.offset)) })
      ]
    }
    return LinePlot(
      "Intervals of \(shown.count) payments in order of corrected time, where most touch",
      PlotAxis("microseconds from the first of them"), PlotAxis("place"), size: (880, 420), series)
  }

  private var dosePlots: [LinePlot] {
    guard let whatIf = report.whatIf else { return [] }
    return [
      LinePlot(
        "What if: pairs out of order against the share of the injected skew",
        PlotAxis("share of it"), PlotAxis("pairs"), includesZero: true,
        [
          PlotSeries(
            "", .line, color: 1,
            whatIf.doses.map {
              (Double($0.permille) / 1000, Double($0.disorder.invertedPairCount))
            }),
          PlotSeries(
            "", .dots, color: 1,
            whatIf.doses.map {
              (Double($0.permille) / 1000, Double($0.disorder.invertedPairCount))
            }),
        ])
    ]
  }
}

extension SkewReport {
  /// The report as one HTML page that needs nothing else.
  package var page: String { SkewPage(self).html }
}
