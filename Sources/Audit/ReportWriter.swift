import JSONText

/// Why a report could not be written on.
package enum OutputError: Error, Hashable, Sendable {
  /// The reader has gone away: not a fault, there is no one left to tell.
  case closed
  /// The system's error number.
  case failed(errno: Int32)
}

/// Collects a report's text and hands it on in large pieces.
package final class ReportWriter {
  /// How much is collected before it is handed on, bytes.
  private static let pieceByteCount = 256 << 10
  /// What waits to be handed on. Append to it, then call ``spill()``.
  package var text: [UInt8] = []
  private let write: ([UInt8]) throws(OutputError) -> Void

  /// A writer that hands its text to `write`, which writes all of it.
  package init(_ write: @escaping ([UInt8]) throws(OutputError) -> Void) {
    self.write = write
    text.reserveCapacity(Self.pieceByteCount + 4096)
  }

  /// Hands the text on when there is enough of it.
  package func spill() throws(OutputError) {
    if text.count >= Self.pieceByteCount { try flush() }
  }

  /// Hands on what there is.
  package func flush() throws(OutputError) {
    guard !text.isEmpty else { return }
    try write(text)
    text.removeAll(keepingCapacity: true)
  }

  /// Appends a line.
  package func line(_ line: String = "") throws(OutputError) {
    text.append(contentsOf: line.utf8)
    text.append(UInt8(ascii: "\n"))
    try spill()
  }
}

/// Numbers as people read them.
enum ReportText {
  /// `1234567` as `1,234,567`.
  static func grouped(_ value: some BinaryInteger) -> String {
    var digits = Array(String(value.magnitude).utf8)
    var place = digits.count - 3
    while place > 0 {
      digits.insert(UInt8(ascii: ","), at: place)
      place -= 3
    }
    return (value < 0 ? "-" : "") + String(decoding: digits, as: UTF8.self)
  }

  /// Nanoseconds with a unit and three decimals: `12 ns`, `1.250 µs`, `3.500 ms`, `2.000 s`.
  static func duration(_ nanoseconds: Int64, signed: Bool = false) -> String {
    var text: [UInt8] = []
    if signed && nanoseconds > 0 { text.append(UInt8(ascii: "+")) }
    appendDuration(nanoseconds, to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Appends what ``duration(_:signed:)`` gives.
  static func appendDuration(_ nanoseconds: Int64, to text: inout [UInt8]) {
    let units: (divisor: Int64, decimals: Int, name: StaticString) =
      switch nanoseconds.magnitude {
      case ..<1000: (1, 0, " ns")
      case ..<1_000_000: (1, 3, " µs")
      case ..<1_000_000_000: (1000, 3, " ms")
      default: (1_000_000, 3, " s")
      }
    appendDecimal(Int128(nanoseconds / units.divisor), decimals: units.decimals, to: &text)
    units.name.withUTF8Buffer { text.append(contentsOf: $0) }
  }

  /// `value` × 10^−`decimals`.
  static func decimal(_ value: some BinaryInteger, decimals: Int) -> String {
    var digits = String(value.magnitude)
    while digits.utf8.count <= decimals { digits = "0" + digits }
    let whole = digits.dropLast(decimals)
    let sign = value < 0 ? "-" : ""
    return decimals == 0 ? sign + digits : "\(sign)\(whole).\(digits.suffix(decimals))"
  }

  /// A byte count with a binary unit: `512 B`, `1.5 KiB`.
  static func bytes(_ count: UInt64) -> String {
    guard count >= 1024 else { return "\(count) B" }
    var scaled = count * 10 / 1024
    var units = ["KiB", "MiB", "GiB"][...]
    while scaled >= 10_240, units.count > 1 {
      scaled /= 1024
      units = units.dropFirst()
    }
    return "\(decimal(scaled, decimals: 1)) \(units.first ?? "TiB")"
  }

  /// `1 event`, `2 events`.
  static func count(_ value: some BinaryInteger, _ noun: String) -> String {
    "\(grouped(value)) \(noun)\(value == 1 ? "" : "s")"
  }

  /// Appends a name from the log as ``safe(_:)`` gives it.
  static func appendSafe(
    _ range: Range<Int>, of records: borrowing RawSpan, to text: inout [UInt8]
  ) {
    records.extracting(range).withUnsafeBytes { name in
      // Controls and what embeds direction begin with these bytes; most names have none of them.
      if name.contains(where: { $0 < 0x20 || $0 == 0x7f || $0 == 0xc2 || $0 == 0xe2 }) {
        text.append(contentsOf: safe(Array(name)).utf8)
      } else {
        text.append(contentsOf: name)
      }
    }
  }

  /// A name from the log for a terminal: what could be a control sequence is replaced.
  ///
  /// HAZARD: the log keeps what a node took in; a tampered one may hold C1 controls, which some
  /// terminals obey.
  static func safe(_ bytes: [UInt8]) -> String {
    let text = String(decoding: bytes, as: UTF8.self)
    let isControl = { (scalar: Unicode.Scalar) in
      scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value)
        || (0x2028...0x202e).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
    }
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var clean = String.UnicodeScalarView()
    clean.append(contentsOf: text.unicodeScalars.map { isControl($0) ? "\u{fffd}" : $0 })
    return String(clean)
  }
}

/// A small table whose columns are as wide as their widest cell. Not for what grows with the log.
struct TextTable {
  /// On which side a column's cells are filled up.
  enum Alignment { case left, right }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  init(_ columns: [(String, Alignment)]) { self.columns = columns.map { ($0.0, $0.1) } }

  /// Appends a row with a cell for each column.
  mutating func add(_ cells: [String]) {
    precondition(cells.count == columns.count)
    rows.append(cells)
  }

  /// Writes title line, rows, and nothing else.
  func write(to writer: ReportWriter) throws(OutputError) {
    let titles = columns.map(\.title)
    var widths = titles.map(\.unicodeScalars.count)
    for row in rows {
      for (column, cell) in row.enumerated() {
        widths[column] = max(widths[column], cell.unicodeScalars.count)
      }
    }
    for row in [titles] + rows {
      var line = ""
      for (column, cell) in row.enumerated() {
        let fill = String(repeating: " ", count: widths[column] - cell.unicodeScalars.count)
        if column > 0 { line += "  " }
        line += columns[column].alignment == .right ? fill + cell : cell + fill
      }
      while line.hasSuffix(" ") { line.removeLast() }
      try writer.line(line)
    }
  }
}
