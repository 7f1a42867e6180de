import ArgumentParser

/// `syncpay clock`: what the nodes' clocks rest on.
struct ClockCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "clock",
    abstract: "Show the nodes' clocks, their sources, and how far they are apart.",
    discussion: """
      Three tables. Tracking (as chronyc tracking): each node's status, correction, error bound, the \
      rates it has found, and since when it would be void. Sources (as chronyc sources): what each node \
      compares its clock with, and why each counts or not: * decides, + is right but not combined, x is a \
      falseticker, ? is not usable now, - is not needed. Offsets between nodes: each node's measurement of \
      each other one's raw clock; a node that most others find off by more than the measurements' errors is \
      named as the outlier. With three nodes or more the offsets around each three are added up: what is \
      beyond their noise is no clock's doing but an asymmetric path's.

      Exit codes: 0 all nodes answer and are synchronized; 1 not all; 2 none answers.
      """)

  @OptionGroup var nodes: NodeOptions

  func perform() async throws {
    let addresses = try nodes.addresses()
    let timeout = min(nodes.timeoutDuration, .seconds(5))
    let reports = try await NodeClient.with { client in
      await NodeReport.all(of: addresses, client: client, within: timeout)
    }
    let clocks = reports.map(NodeClockView.init)
    let matrix = OffsetMatrix(clocks)
    let refusals = reports.flatMap(Self.refusals)
    switch nodes.format {
    case .json: Terminal.line(Self.json(clocks, matrix.findings + refusals).description)
    case .table: show(clocks, matrix, refusals)
    }
    guard clocks.contains(where: \.isReachable) else {
      throw CommandFailure(.unreachable, "no node answers.")
    }
    let bad = clocks.filter { $0.status != "synchronized" }
    guard bad.isEmpty else {
      throw CommandFailure(
        .refused,
        "not synchronized: " + bad.map { "\($0.name) (\($0.status))" }.joined(separator: ", ") + "."
      )
    }
  }

  /// Stamps that a leader would not take, as sentences.
  private static func refusals(_ report: NodeReport) -> [String] {
    (report.status?["stamps_refused"]?.elements ?? []).map { refused in
      "\(report.name) has refused \(refused["count"]?.text ?? "?") events of \(refused["node"]?.text ?? "?"), "
        + "stamped up to \(ClockUnits.time(refused["ahead_max"]?.double)) ahead of its clock."
    }
  }

  private func show(
    _ clocks: [NodeClockView], _ matrix: OffsetMatrix, _ refusals: [String]
  ) {
    Self.tracking(clocks).show()
    for clock in clocks where clock.isReachable {
      Terminal.line("")
      Terminal.line("Sources of \(clock.name):")
      clock.sourceTable.show(indent: "  ")
    }
    guard clocks.filter(\.isReachable).count > 1 else { return }
    Terminal.line("")
    Terminal.line("Raw clock of the column less that of the row, as the row's node measures it:")
    matrix.table.show(indent: "  ")
    for line in matrix.findings + refusals { Terminal.line(line) }
  }

  private static func tracking(_ clocks: [NodeClockView]) -> Table {
    var table = Table([
      .init("node"), .init("status"), .init("reference"), .init("correction", .right),
      .init("bound", .right), .init("grows", .right), .init("raw drift", .right),
      .init("to slew", .right), .init("void after", .right), .init("epoch", .right),
      .init("steps", .right), .init("pauses", .right),
    ])
    for clock in clocks { table.add(clock.row) }
    return table
  }

  private static func json(_ clocks: [NodeClockView], _ findings: [String]) -> JSONValue {
    .object([
      .init(
        name: "nodes",
        value: .array(
          clocks.map {
            .object([
              .init(name: "node", value: .string($0.name)),
              .init(name: "clock", value: $0.clock ?? .null),
            ])
          })),
      .init(name: "findings", value: .array(findings.map { .string($0) })),
    ])
  }
}

/// One node's clock as it tells it.
struct NodeClockView {
  let name: String
  let clock: JSONValue?
  private let reason: String

  init(_ report: NodeReport) {
    name = report.name
    clock = report.status?["clock"]
    reason = report.reason
  }

  init(name: String, clock: JSONValue?) {
    self.name = name
    self.clock = clock
    reason = ""
  }

  var isReachable: Bool { clock != nil }
  var status: String { clock?["status"]?.text ?? "unreachable" }
  var sources: [JSONValue] { clock?["sources"]?.elements ?? [] }

  var row: [String] {
    guard let clock else {
      return [name, "unreachable", reason] + Array(repeating: "-", count: 9)
    }
    func text(_ key: String) -> String { clock[key]?.text ?? "-" }
    func ppm(_ key: String) -> String { ClockUnits.partsPerMillion(clock[key]?.integer) }
    return [
      name, status, text("reference"), ClockUnits.time(clock["correction"]?.double, signed: true),
      "±" + ClockUnits.time(clock["bound"]?.double), ppm("bound_growth_ppb"),
      ppm("drift_ppb"), ClockUnits.time(clock["residual"]?.double, signed: true),
      clock["void_after"]?.double.map { "\(Int($0)) s" } ?? "-", text("epoch"), text("steps"),
      text("pauses"),
    ]
  }

  var sourceTable: Table {
    var table = Table([
      .init(""), .init("source"), .init("kind"), .init("poll", .right), .init("reach", .right),
      .init("heard", .right), .init("offset", .right), .init("error", .right),
      .init("delay", .right), .init("jitter", .right), .init("rate", .right),
      .init("samples", .right), .init("why"),
    ])
    for source in sources { table.add(Self.row(source)) }
    return table
  }

  private static func row(_ source: JSONValue) -> [String] {
    func text(_ key: String) -> String { source[key]?.text ?? "-" }
    func time(_ key: String, signed: Bool = false) -> String {
      ClockUnits.time(source[key]?.double, signed: signed)
    }
    var why = text("reason")
    if let failure = source["last_failure"]?.text, failure != "null",
      source["verdict"]?.text == "unheard"
    {
      why += "; \(failure)"
    }
    let isHost = source["kind"]?.text == "host"
    return [
      mark(source["verdict"]?.text ?? ""), text("name"), text("kind"),
      isHost ? "-" : time("poll"), source["reach"]?.integer.map { String($0, radix: 8) } ?? "-",
      source["age"]?.double.map { "\(ClockUnits.time($0)) ago" } ?? "never",
      time("offset", signed: true), time("bound"), time("delay"), time("jitter"),
      ClockUnits.partsPerMillion(source["rate_ppb"]?.integer),
      isHost ? "-" : "\(text("used"))/\(text("samples"))", why,
    ]
  }

  private static func mark(_ verdict: String) -> String {
    switch verdict {
    case "selected": "*"
    case "not-combined": "+"
    case "falseticker", "outlier": "x"
    case "superseded": "-"
    default: "?"
    }
  }
}

/// Times and rates as a person reads them.
enum ClockUnits {
  /// Seconds with a unit of their size: `12.300 us`.
  static func time(_ seconds: Double?, signed: Bool = false) -> String {
    guard let seconds else { return "-" }
    let (scale, unit) =
      switch abs(seconds) {
      case ..<1e-3: (1e6, "us")
      case ..<1: (1e3, "ms")
      default: (1.0, "s")
      }
    let thousandths = Int((seconds * scale * 1000).rounded())
    let sign = thousandths < 0 ? "-" : signed && thousandths > 0 ? "+" : ""
    let rest = String(thousandths.magnitude % 1000)
    return sign + "\(thousandths.magnitude / 1000)."
      + String(repeating: "0", count: 3 - rest.count) + rest + " \(unit)"
  }

  static func partsPerMillion(_ partsPerBillion: Int?) -> String {
    guard let partsPerBillion else { return "-" }
    let rest = String(partsPerBillion.magnitude % 1000)
    return (partsPerBillion < 0 ? "-" : "") + "\(partsPerBillion.magnitude / 1000)."
      + String(repeating: "0", count: 3 - rest.count) + rest + " ppm"
  }
}
