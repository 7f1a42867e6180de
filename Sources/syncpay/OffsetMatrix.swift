/// How far nodes' raw clocks are apart, as each measures the others, and what follows from it.
struct OffsetMatrix {
  /// One measurement: the other's raw clock − one's own, ± error, seconds.
  struct Measure: Equatable {
    let offset: Double
    let error: Double
  }

  let names: [String]
  /// By row (who measures) and column (who is measured); nil where nobody has.
  private(set) var measures: [[Measure?]]

  init(_ clocks: [NodeClockView]) {
    let reachable = clocks.filter(\.isReachable)
    names = reachable.map(\.name)
    measures = reachable.map { clock in
      // Offsets are told against corrected time: the difference of two is that of the raw clocks.
      let own = clock.sources.first { $0["kind"]?.text == "host" }?["offset"]?.double
      return reachable.map { other in
        guard let own,
          let source = clock.sources.first(where: {
            $0["kind"]?.text == "node" && $0["name"]?.text == other.name
          }), let offset = source["offset"]?.double, let error = source["bound"]?.double
        else { return nil }
        return Measure(offset: offset - own, error: error)
      }
    }
  }

  var table: Table {
    var table = Table([.init("")] + names.map { .init($0, .right) })
    for (row, name) in names.enumerated() {
      table.add(
        [name]
          + names.indices.map { column in
            guard row != column else { return "-" }
            guard let measure = measures[row][column] else { return "?" }
            return ClockUnits.time(measure.offset, signed: true) + " ± "
              + ClockUnits.time(measure.error)
          })
    }
    return table
  }

  /// Sentences: the outlier, loops that do not close, and measurements that contradict each other.
  var findings: [String] { outliers + contradictions + openLoops }

  /// Nodes that most others find off from the middle of all by more than the errors.
  private var outliers: [String] {
    guard names.count > 2 else { return [] }
    return names.indices.compactMap { place in
      // Off the others, while those agree among themselves.
      let off = names.indices.filter { $0 != place && isApart($0, place) }
      let others = names.indices.filter { $0 != place }
      let quarrels = others.filter { one in
        others.contains { $0 != one && isApart(one, $0) }
      }
      guard off.count == others.count, quarrels.isEmpty else { return nil }
      let offsets = others.compactMap { measures[$0][place]?.offset }.sorted()
      let middle = offsets.isEmpty ? 0 : offsets[offsets.count / 2]
      return
        "\(names[place]) is the outlier: its clock is off by \(ClockUnits.time(middle, signed: true))"
        + " for all others, which agree."
    }
  }

  /// What clocks of one cluster may be apart before it is worth a sentence, seconds.
  private static let tolerance = 0.001

  private func isApart(_ row: Int, _ column: Int) -> Bool {
    guard let measure = measures[row][column] ?? measures[column][row] else { return false }
    return abs(measure.offset) > measure.error + Self.tolerance
  }

  /// A pair that measures each other differently than the errors allow.
  private var contradictions: [String] {
    pairs.compactMap { first, second in
      guard let there = measures[first][second], let back = measures[second][first] else {
        return nil
      }
      let sum = there.offset + back.offset
      guard abs(sum) > there.error + back.error else { return nil }
      return "\(names[first]) and \(names[second]) measure each other differently, by "
        + ClockUnits.time(sum, signed: true) + "."
    }
  }

  /// Three nodes around which the offsets do not add up to nothing (Huygens, NSDI 2018, §4.2): no clock can
  /// do that, an asymmetric path does.
  private var openLoops: [String] {
    var lines: [String] = []
    for (first, second) in pairs {
      for third in names.indices where third > second {
        guard let one = measures[first][second], let two = measures[second][third],
          let three = measures[third][first]
        else { continue }
        let sum = one.offset + two.offset + three.offset
        let errors = one.error + two.error + three.error
        guard abs(sum) > errors else { continue }
        lines.append(
          "The loop \(names[first]), \(names[second]), \(names[third]) does not close, by "
            + "\(ClockUnits.time(sum, signed: true)): a path among them is asymmetric, or its error too small."
        )
      }
    }
    return lines
  }

  private var pairs: [(Int, Int)] {
    names.indices.flatMap { first in
      names.indices.filter { $0 > first }.map { (first, $0) }
    }
  }
}
