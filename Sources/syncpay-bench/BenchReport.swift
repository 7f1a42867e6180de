import JSONText

/// One named value of a report; units are in the name.
struct Field: Sendable {
  /// What a field can hold.
  enum Value: Sendable {
    case text(String)
    case count(Int)
    case real(Double, decimals: Int)
    case flag(Bool)
  }

  let name: String
  let value: Value

  init(_ name: String, _ value: Value) {
    self.name = name
    self.value = value
  }

  static func text(_ name: String, _ text: String) -> Field { Field(name, .text(text)) }
  static func count(_ name: String, _ count: some BinaryInteger) -> Field {
    Field(name, .count(Int(clamping: count)))
  }
  static func real(_ name: String, _ value: Double, decimals: Int = 0) -> Field {
    Field(name, .real(value, decimals: decimals))
  }
  static func flag(_ name: String, _ flag: Bool) -> Field { Field(name, .flag(flag)) }
}

/// What one benchmark gave.
struct BenchSection: Sendable {
  let name: String
  /// What was asked for.
  var settings: [Field] = []
  /// One row per case; rows of one section have the same names.
  var results: [[Field]] = []
  /// What a reader must know to understand the figures.
  var notes: [String] = []
  /// What was found wrong: each a sentence.
  var failures: [String] = []
}

/// All that a run of this command prints.
struct BenchReport: Sendable {
  let context: RunContext
  let sections: [BenchSection]
}

// MARK: - JSON

extension BenchReport {
  /// One JSON object on one line.
  var json: [UInt8] {
    var json = JSONWriter(capacity: 4_096)
    json.beginObject()
    json.key("machine")
    json.object(context.machine)
    for field in context.run { json.member(field) }
    json.key("benchmarks")
    json.beginArray()
    for section in sections { json.section(section) }
    json.endArray()
    json.endObject()
    json.endLine()
    return json.bytes
  }
}

extension JSONWriter {
  fileprivate mutating func section(_ section: BenchSection) {
    beginObject()
    key("name")
    string(section.name)
    key("settings")
    object(section.settings)
    key("results")
    beginArray()
    for row in section.results { object(row) }
    endArray()
    key("notes")
    strings(section.notes)
    key("failures")
    strings(section.failures)
    endObject()
  }

  private mutating func strings(_ texts: [String]) {
    beginArray()
    for text in texts { string(text) }
    endArray()
  }

  fileprivate mutating func object(_ fields: [Field]) {
    beginObject()
    for field in fields { member(field) }
    endObject()
  }

  fileprivate mutating func member(_ field: Field) {
    key(utf8: Array(field.name.utf8))
    switch field.value {
    case .text(let text): string(text)
    case .count(let count): integer(count)
    case .flag(let flag): boolean(flag)
    case .real(let value, let decimals):
      decimal(scaled(value, decimals: decimals), decimals: decimals)
    }
  }
}

/// `value` × 10^`decimals`, rounded; 0 for what is not a number.
func scaled(_ value: Double, decimals: Int) -> Int128 {
  let power = (0..<decimals).reduce(1.0) { product, _ in product * 10 }
  let scaled = (value * power).rounded()
  return scaled.isFinite && scaled.magnitude < 1e30 ? Int128(scaled) : 0
}
