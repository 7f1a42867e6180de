import ClockSync
import Testing

@testable import syncpay

/// Clocks as nodes tell them, from what is true: raw offsets and how much longer each way is than back.
private func views(
  offsets: [Double], error: Double = 0.000_1, extra: [Int: [Int: Double]] = [:]
) -> [NodeClockView] {
  offsets.indices.map { here in
    let corrected = 0.25
    var sources = [source("host", "host", offsets[here] - corrected, 0)]
    for there in offsets.indices where there != here {
      let wrong = extra[here]?[there] ?? 0
      sources.append(
        source("node\(there + 1)", "node", offsets[there] - corrected + wrong, error))
    }
    return NodeClockView(
      name: "node\(here + 1)",
      clock: .object([
        .init(name: "status", value: .string("synchronized")),
        .init(name: "sources", value: .array(sources)),
      ]))
  }
}

private func source(_ name: String, _ kind: String, _ offset: Double, _ bound: Double) -> JSONValue
{
  .object([
    .init(name: "name", value: .string(name)), .init(name: "kind", value: .string(kind)),
    .init(name: "offset", value: .number("\(offset)")),
    .init(name: "bound", value: .number("\(bound)")),
  ])
}

@Suite struct OffsetMatrixTests {
  @Test func `each cell is the column's raw clock less the row's`() throws {
    let matrix = OffsetMatrix(views(offsets: [0, 0.002, -0.003]))
    let measure = try #require(matrix.measures[1, 2])
    #expect(measure.offset == -5_000_000 && measure.error == 100_000)
    #expect(matrix.measures[0, 0] == nil)
  }

  @Test func `clocks that are close give no finding, and one far away is named`() {
    #expect(OffsetMatrix(views(offsets: [0, 0.000_2, -0.000_3])).findings.isEmpty)
    let one = OffsetMatrix(views(offsets: [0, 2, 0.000_4])).findings
    #expect(one.count == 1 && one[0].hasPrefix("node2 is the outlier"), "\(one)")
    #expect(one.first?.contains("+2.000 s") == true, "\(one)")
    // Of two that differ nobody can say which.
    #expect(OffsetMatrix(views(offsets: [0, 2])).findings.isEmpty)
    // Nor where nobody agrees with anybody.
    #expect(OffsetMatrix(views(offsets: [0, 2, 5])).findings.isEmpty)
  }

  /// Huygens (NSDI 2018): around a loop true offsets add up to nothing.
  @Test func `an asymmetric path shows as a loop that does not close`() {
    // Each end takes half of the asymmetry for an offset, with opposite signs, and within its error.
    let matrix = OffsetMatrix(
      views(
        offsets: [0, 0.000_1, 0.000_2], error: 0.001, extra: [0: [1: 0.000_8], 1: [0: -0.000_8]]))
    let findings = matrix.findings
    #expect(
      findings.count == 1 && findings[0].hasPrefix("The loop node1, node2, node3")
        && findings[0].contains("533.332 us longer"), "\(findings)")
  }

  @Test func `two nodes that contradict each other are told`() {
    let findings = OffsetMatrix(views(offsets: [0, 0], extra: [0: [1: 0.000_5]])).findings
    #expect(findings == ["node1 and node2 measure each other differently, by +500.000 us."])
  }

  @Test func `a node that is down is left out`() {
    var all = views(offsets: [0, 0.1, 0.2])
    all[1] = NodeClockView(name: "node2", clock: nil)
    #expect(OffsetMatrix(all).names == ["node1", "node3"])
    #expect(all[1].row.count == 12 && all[1].status == "unreachable")
  }

  @Test func `times have a unit of their size`() {
    #expect(ClockUnits.time(0.000_012_3) == "12.300 us")
    #expect(ClockUnits.time(-0.5, signed: true) == "-500.000 ms")
    #expect(ClockUnits.time(2, signed: true) == "+2.000 s")
    #expect(ClockUnits.time(nil) == "-")
    #expect(ClockUnits.partsPerMillion(-1_234) == "-1.234 ppm")
  }
}
