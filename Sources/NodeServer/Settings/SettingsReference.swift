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
}
