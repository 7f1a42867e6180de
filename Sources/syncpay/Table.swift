/// Rows for a person: columns as wide as their widest cell, two spaces between.
struct Table {
  enum Alignment: Sendable { case left, right }

  struct Column {
    let title: String
    let alignment: Alignment
    /// The width it has at least, so that the pages of a long list stay in line.
    let widthMin: Int

    init(_ title: String, _ alignment: Alignment = .left, widthMin: Int = 0) {
      self.title = title
      self.alignment = alignment
      self.widthMin = widthMin
    }
  }

  let columns: [Column]
  /// Invariant: every row has one cell per column.
  private(set) var rows: [[String]] = []

  init(_ columns: [Column]) {
    self.columns = columns
  }

  mutating func add(_ row: [String]) {
    precondition(row.count == columns.count, "a row has one cell per column")
    rows.append(row.map(\.printable))
  }

  func lines(withTitles: Bool = true) -> [String] {
    let titles = columns.map { $0.title.uppercased() }
    let shown = (withTitles ? [titles] : []) + rows
    let widths = columns.indices.map { place in
      max(columns[place].widthMin, shown.map { $0[place].count }.max() ?? 0)
    }
    return shown.map { row in
      let cells = columns.indices.map { place in
        switch columns[place].alignment {
        case .left: row[place].padded(to: widths[place])
        case .right: row[place].indented(to: widths[place])
        }
      }
      let line = cells.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }

  func show(indent: String = "", withTitles: Bool = true) {
    for line in lines(withTitles: withTitles) { Terminal.line(indent + line) }
  }
}
