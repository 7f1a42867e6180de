import JSONText

extension BenchReport {
  /// For people: what ran where, then a table for each benchmark.
  var table: [UInt8] {
    var lines = ["syncpay-bench on " + context.machine.map(\.plain).joined(separator: ", ")]
    lines.append(context.run.map(\.plain).joined(separator: ", "))
    for section in sections { lines += section.lines }
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }
}

extension BenchReport {
  /// The same with tables as Markdown has them.
  var markdown: [UInt8] {
    var lines = [(context.machine + context.run).map(\.plain).joined(separator: ", ")]
    for section in sections {
      lines += ["", "## " + section.name, ""]
      lines += [section.settings.map(\.plain).joined(separator: ", "), ""]
      lines += MarkdownTable(rows: section.results).lines
      lines += (section.notes + section.failures.map { "**Failed:** \($0)" }).flatMap { ["", $0] }
    }
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }
}

extension BenchSection {
  fileprivate var lines: [String] {
    var lines = ["", "\(name): " + settings.map(\.plain).joined(separator: ", ")]
    lines += TextTable(rows: results).lines
    lines += notes
    return lines + failures.map { "FAILED: \($0)" }
  }
}

extension Field {
  /// The name as a person reads it.
  var title: String { name.replacing("_per_second", with: "/s").replacing("_", with: " ") }

  /// Name and value in one phrase.
  fileprivate var plain: String { "\(title) \(shown)" }

  /// The value as a person reads it.
  var shown: String {
    switch value {
    case .text(let text): text
    case .count(let count): grouped(Int128(count), decimals: 0)
    case .real(let value, let decimals):
      grouped(scaled(value, decimals: decimals), decimals: decimals)
    case .flag(let flag): flag ? "yes" : "no"
    }
  }

  var isText: Bool { if case .text = value { true } else { false } }
}

/// `1234567` as `1,234,567`.
private func grouped(_ units: Int128, decimals: Int) -> String {
  var text: [UInt8] = []
  appendDecimal(units, decimals: decimals, to: &text)
  let wholeEnd = decimals == 0 ? text.count : text.count - decimals - 1
  let wholeStart = units < 0 ? 1 : 0
  for place in stride(from: wholeEnd - 3, to: wholeStart, by: -3) {
    text.insert(UInt8(ascii: ","), at: place)
  }
  return String(decoding: text, as: UTF8.self)
}

/// Rows of fields as aligned columns: text to the left, numbers to the right.
struct TextTable {
  let rows: [[Field]]

  var lines: [String] {
    guard let first = rows.first else { return [] }
    let cells = [first.map(\.title)] + rows.map { $0.map(\.shown) }
    let widths = first.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
    return cells.map { row in
      let padded = row.indices.map { column in
        let room = String(repeating: " ", count: widths[column] - row[column].count)
        return first[column].isText ? row[column] + room : room + row[column]
      }
      let line = "  " + padded.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }
}

/// Rows of fields as a Markdown table (GitHub Flavored Markdown §4.10).
struct MarkdownTable {
  let rows: [[Field]]

  var lines: [String] {
    guard let first = rows.first else { return [] }
    func line(_ cells: [String]) -> String {
      "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }
    return [line(first.map(\.title)), line(first.map { $0.isText ? "---" : "---:" })]
      + rows.map { line($0.map(\.shown)) }
  }
}
