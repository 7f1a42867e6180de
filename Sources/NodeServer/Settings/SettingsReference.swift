/// The list of all settings as text.
package enum SettingsReference {
  /// A line for each setting: key, default, range, and what it is for.
  package static var text: String {
    SettingKey.all.map { key in
      var line = "\(key.name) = \(key.defaultText)"
      if case .integer(_, let range) = key.kind {
        line += "  (\(range.lowerBound) to \(range.upperBound))"
      }
      return line + "\n    \(key.summary)"
    }.joined(separator: "\n")
  }

  /// The same as a table of the configuration page, which a test holds against it.
  package static var markdownTable: String {
    let rows = SettingKey.all.map { key in
      var range = ""
      if case .integer(_, let values) = key.kind {
        range = "\(values.lowerBound) – \(values.upperBound)"
      }
      return "| `\(key.name)` | \(key.defaultText) | \(range) | \(key.summary) |"
    }
    return (["| key | default | range | what for |", "| --- | --- | --- | --- |"] + rows)
      .joined(separator: "\n")
  }
}
