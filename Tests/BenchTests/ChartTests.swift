import FoundationEssentials
import Testing

@testable import syncpay_bench

@Suite struct `The chart` {
  @Test(arguments: [
    [0, 0.2, 0.4, 0.6, 0.8, 1], [1, 0.2, 0.4, 0.6, 0.8, 1], [1.1, 0.25, 0.5, 0.75, 1, 1.25],
    [26_000, 10_000, 20_000, 30_000], [490, 100, 200, 300, 400, 500],
    [0.003, 0.001, 0.002, 0.003],
  ])
  func `an axis ends at a round number that holds the maximum`(_ numbers: [Double]) {
    // The maximum, then the ticks after 0.
    let axis = ValueAxis(maximum: numbers[0])
    let ticks = [0] + numbers.dropFirst()
    #expect(axis.ticks.count == ticks.count, "\(axis.ticks)")
    for (got, wanted) in zip(axis.ticks, ticks) {
      #expect((got - wanted).magnitude <= 1e-9 * max(wanted, 1), "\(axis.ticks)")
    }
  }

  @Test func `an axis holds any maximum in few ticks`() {
    for exponent in -20...60 {
      for mantissa in [1, 1.0001, 1.99, 2.5, 3.3, 5, 7.7, 9.9999] {
        var maximum = mantissa
        for _ in 0..<exponent.magnitude { maximum *= exponent < 0 ? 0.8 : 1.25 }
        let axis = ValueAxis(maximum: maximum)
        #expect(axis.end >= maximum * 0.999_999 && axis.end < 2 * maximum, "\(maximum): \(axis)")
        #expect((3...6).contains(axis.ticks.count), "\(maximum): \(axis.ticks)")
      }
    }
  }

  @Test func `ticks show the decimals they need, and values three digits`() {
    #expect(ValueAxis(maximum: 26_000).text(10_000) == "10,000")
    #expect(ValueAxis(maximum: 1.1).text(0.25) == "0.25")
    #expect(ValueAxis(maximum: 1).precise(123.4) == "123")
    #expect(ValueAxis(maximum: 1).precise(12.34) == "12.3")
    #expect(ValueAxis(maximum: 1).precise(0.634) == "0.63")
  }

  @Test func `bars stand on the axis, as high as their values`() throws {
    let panel = BarPanel(
      title: "a < b & c", caseTitle: "nodes", cases: ["1", "3"],
      series: [
        .init(name: "p50", values: [1, 0]), .init(name: "p99", values: [0.5, 0.25]),
      ])
    let svg = BarChart(title: "chart", panels: [panel]).svg
    #expect(svg.contains(">a &lt; b &amp; c</text>"))
    #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
    let bars = svg.split(separator: "\n").filter { $0.hasPrefix("<rect x=") }.map(attributes)
    // Two in the legend, four in the panel.
    try #require(bars.count == 6)
    let drawn = bars.dropFirst(2)
    let feet = Set(drawn.map { ($0["y"] ?? 0) + ($0["height"] ?? 0) })
    #expect(feet.count == 1)
    let heights = drawn.map { $0["height"] ?? -1 }
    let whole = try #require(heights.first)
    #expect(zip(heights, [1, 0.5, 0, 0.25]).allSatisfy { ($0 - $1 * whole).magnitude < 0.11 })
  }

  private func attributes(_ line: Substring) -> [String: Double] {
    var values: [String: Double] = [:]
    for part in line.split(separator: " ") {
      let pair = part.split(separator: "=")
      if pair.count == 2 { values[String(pair[0])] = Double(pair[1].filter { $0 != "\"" }) }
    }
    return values
  }
}

@Suite struct `Failover figures` {
  @Test func `stored bytes are those of all files, however deep`() throws {
    let scratch = try ScratchDirectory()
    defer { scratch.remove() }
    try FileManager.default.createDirectory(
      atPath: scratch.path + "/log/old", withIntermediateDirectories: true)
    try Files.write([UInt8](repeating: 1, count: 1_000), to: scratch.path + "/state")
    try Files.write([UInt8](repeating: 1, count: 234), to: scratch.path + "/log/old/segment")
    #expect(Files.byteCount(under: scratch.path) == 1_234)
    #expect(Files.byteCount(under: scratch.path + "/nothing") == 0)
  }

  @Test func `the nearest rank is a value that was measured`() {
    let values = (1...20).map(Double.init)
    #expect(nearestRank(90, of: values.reversed()) == 18)
    #expect(nearestRank(100, of: values) == 20)
    #expect(nearestRank(1, of: values) == 1)
    #expect(nearestRank(90, of: [7]) == 7)
  }

  @Test func `the longest wait counts those that still wait, and is taken once`() {
    let load = SteadyLoad()
    let start = ContinuousClock.now
    load.acknowledged(by: 0, at: start)
    load.acknowledged(by: 1, at: start)
    load.acknowledged(by: 0, at: start + .seconds(3))
    load.acknowledged(by: 0, at: start + .seconds(4))
    #expect(load.takePauseMax(at: start + .seconds(2)) == .seconds(3))
    load.acknowledged(by: 1, at: start + .seconds(4))
    #expect(load.takePauseMax(at: start + .seconds(5)) == .seconds(4))
    #expect(load.takePauseMax(at: start + .seconds(5)) == .seconds(1))
    #expect(load.count == 5)
    load.acknowledgedOnce()
    load.stop()
    #expect(load.count == 6 && load.isOver)
  }
}
