import ArgumentParser

/// `syncpay demo clocks`.
struct DemoClocks: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "clocks",
    abstract: "Show the nodes' clocks: correction, bound, skew.",
    discussion: """
      On one machine all nodes read the same system clock, so their corrections must agree within \
      their bounds. Then syncpay-audit reads the skew from the logs alone.
      """)

  @OptionGroup var options: ClusterOptions
  @OptionGroup var audit: AuditOptions

  func perform() async throws {
    try await DemoStage.with(options) { stage, narrator in
      narrator.begin("Each node's correction of its clock and the bound of its error.")
      let readings = await readings(stage, narrator)
      var table = Table([
        .init("node"), .init("clock"), .init("reference"), .init("time offset", .right),
        .init("correction", .right), .init("bound", .right), .init("epoch", .right),
      ])
      for reading in readings { table.add(reading.row) }
      table.show(indent: "   ")
      narrator.begin("Corrections of one system clock agree within their bounds.")
      compare(readings, narrator)
      narrator.begin("The same from the logs alone: syncpay-audit skew.")
      try await audit.tool.check(
        "skew", stage.cluster.files.map(\.dataDirectory), shows: 40,
        "the skew of the nodes, from their segments", narrator)
    }
  }

  /// The readings, waited for until every node has a bound.
  private func readings(_ stage: DemoStage, _ narrator: Narrator) async -> [ClockReading] {
    let deadline = ContinuousClock.now + min(stage.patience, .seconds(15))
    while true {
      let readings = await stage.reports().map(ClockReading.init)
      let known = readings.allSatisfy { $0.bound != nil && $0.correction != nil }
      if known || ContinuousClock.now >= deadline {
        narrator.check(known, "every node knows its correction and its bound")
        return readings
      }
      try? await Task.sleep(for: .milliseconds(200))
    }
  }

  private func compare(_ readings: [ClockReading], _ narrator: Narrator) {
    for (place, one) in readings.enumerated() {
      for other in readings.dropFirst(place + 1) {
        guard let a = one.correction, let b = other.correction, let left = one.bound,
          let right = other.bound
        else { continue }
        narrator.check(
          abs(a - b) <= left + right,
          "\(one.name) and \(other.name) are \(milliseconds(abs(a - b))) apart, "
            + "bounds \(milliseconds(left + right))")
      }
    }
  }
}

/// A node's clock as its status tells.
struct ClockReading: Sendable {
  let name: String
  /// Seconds.
  let correction: Double?
  /// Seconds.
  let bound: Double?
  let row: [String]

  init(_ report: NodeReport) {
    let clock = report.status?["clock"]
    let offset = report.status?["time_offset"]?.double
    name = report.name
    correction = clock?["correction"]?.double ?? offset
    bound = clock?["bound"]?.double
    row = [
      report.name, clock?["status"]?.text ?? report.reason, clock?["reference"]?.text ?? "-",
      offset.map(milliseconds) ?? "-", correction.map(milliseconds) ?? "-",
      bound.map { "±" + milliseconds($0) } ?? "-", clock?["epoch"]?.text ?? "-",
    ]
  }
}
