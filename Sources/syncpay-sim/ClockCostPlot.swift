import Audit

/// Error and bound over datagrams an hour, one picture for each network.
struct ClockCostPlot {
  private let rows: [ClockCostRow]

  init(_ rows: [ClockCostRow]) { self.rows = rows }

  var svg: String {
    PlotSheet(
      ClockCostNetwork.allCases.map { network in
        LinePlot(
          "What accuracy costs: \(network.rawValue)", PlotAxis("datagrams an hour", .logarithmic),
          PlotAxis("microseconds", .logarithmic), series(network))
      }
    ).svg
  }

  private func series(_ network: ClockCostNetwork) -> [PlotSeries] {
    let counts = Set(rows.map(\.samples)).sorted()
    return counts.enumerated().flatMap { place, count in
      let own = rows.filter { $0.network == network && $0.samples == count }
        .sorted { $0.packetsAnHour < $1.packetsAnHour }
      func line(
        _ name: String, _ style: PlotSeries.Style, _ color: Int,
        _ value: KeyPath<ClockCostRow, Double>
      ) -> PlotSeries {
        PlotSeries(
          "\(name), \(count) samples", style, color: color,
          own.map { ($0.packetsAnHour, $0[keyPath: value] / 1000) })
      }
      return [
        line("rms error", .dashed, place, \.errorRootMeanSquare),
        line("bound", .line, place, \.boundMedian),
      ]
    }
  }
}
