import ClockSync

/// How far nodes' raw clocks are apart, as each measures the others, and what follows from it.
struct OffsetMatrix {
  let names: [String]
  private(set) var measures: ClockMatrix

  init(_ clocks: [NodeClockView]) {
    let reachable = clocks.filter(\.isReachable)
    names = reachable.map(\.name)
    measures = ClockMatrix(count: names.count)
    for (row, clock) in reachable.enumerated() {
      // Offsets are told against corrected time: the difference of two is that of the raw clocks.
      guard let own = clock.sources.first(where: { $0["kind"]?.text == "host" })?["offset"]?.double
      else { continue }
      for (column, other) in reachable.enumerated() {
        guard
          let source = clock.sources.first(where: {
            $0["kind"]?.text == "node" && $0["name"]?.text == other.name
          }), let offset = source["offset"]?.double, let error = source["bound"]?.double
        else { continue }
        measures[row, column] = ClockMatrix.Measure(
          offset: Self.nanoseconds(offset - own), error: Self.nanoseconds(abs(error)),
          noise: Self.nanoseconds(abs(source["jitter"]?.double ?? 0)))
      }
    }
  }

  /// A node may answer anything.
  private static func nanoseconds(_ seconds: Double) -> Int64 {
    let limit = 1e18
    guard !seconds.isNaN else { return 0 }
    return Int64((min(max(seconds * 1e9, -limit), limit)).rounded())
  }

  private static func time(_ nanoseconds: Int64, signed: Bool = false) -> String {
    ClockUnits.time(Double(nanoseconds) * 1e-9, signed: signed)
  }

  var table: Table {
    var table = Table([.init("")] + names.map { .init($0, .right) })
    for (row, name) in names.enumerated() {
      table.add(
        [name]
          + names.indices.map { column in
            guard row != column else { return "-" }
            guard let measure = measures[row, column] else { return "?" }
            return Self.time(measure.offset, signed: true) + " ± " + Self.time(measure.error)
          })
    }
    return table
  }

  /// Sentences: the outlier, loops that do not close, and measurements that contradict each other.
  var findings: [String] {
    measures.outliers.map {
      "\(names[$0.place]) is the outlier: its clock is off by \(Self.time($0.offset, signed: true))"
        + " for all others, which agree."
    }
      + measures.contradictions.map {
        "\(names[$0.first]) and \(names[$0.second]) measure each other differently, by "
          + Self.time($0.sum, signed: true) + "."
      }
      + measures.openLoops.map { loop in
        "The loop \(loop.places.map { names[$0] }.joined(separator: ", ")) does not close, by "
          + "\(Self.time(loop.sum, signed: true)): no clock does that; at least one of the paths takes "
          + "\(Self.time(loop.asymmetryMin)) longer one way than the other."
      }
  }
}
