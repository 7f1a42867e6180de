/// The list of all settings as text.
package enum SettingsReference {
  /// A line for each setting: key, default, range, and what it is for.
  package static var text: String {
    SettingKey.all.map { key in
      var line = "\(key.name) = \(key.defaultText)"
      switch key.kind {
      case .integer(_, let range): line += "  (\(range.lowerBound) to \(range.upperBound))"
      case .boolean: line += "  (true or false)"
      case .text, .list: break
      }
      return line + "\n    \(key.summary)"
    }.joined(separator: "\n")
  }

  /// The same as a table of the configuration page, which a test holds against it.
  package static var markdownTable: String {
    let rows = SettingKey.all.map { key in
      var range = ""
      switch key.kind {
      case .integer(_, let values): range = "\(values.lowerBound) – \(values.upperBound)"
      case .boolean: range = "true, false"
      case .text, .list: break
      }
      return "| `\(key.name)` | \(key.defaultText) | \(range) | \(key.summary) |"
    }
    return (["| key | default | range | what for |", "| --- | --- | --- | --- |"] + rows)
      .joined(separator: "\n")
  }
}
