import Simulation

/// A seed's options for people, and as JSON.
struct OptionsText {
  private let fields: [(name: String, value: String)]

  init(_ options: SimulationOptions) {
    var fields: [(String, String)] = [("seed", "\(options.seed)")]
    fields.append(("canary", "\"\(options.canary.rawValue)\""))
    fields.append(("nodes", "\(options.nodeCount)"))
    fields.append(("spares", "\(options.spareCount)"))
    fields.append(("active_ms", "\(options.activeNanoseconds / 1_000_000)"))
    fields.append(("gathers_calls", "\(options.gathersCalls)"))
    for part in [
      Mirror(reflecting: options.node), Mirror(reflecting: options.network),
      Mirror(reflecting: options.clock), Mirror(reflecting: options.workload),
      Mirror(reflecting: options.faults),
    ] {
      for child in part.children {
        guard let label = child.label else { continue }
        let isNumber = child.value is Int || child.value is Int64 || child.value is Bool
        fields.append((label, isNumber ? "\(child.value)" : "\"\(child.value)\""))
      }
    }
    self.fields = fields
  }

  /// `name value`, a few to a line.
  var lines: [String] {
    stride(from: 0, to: fields.count, by: 4).map { start in
      fields[start..<min(start + 4, fields.count)].map { "\($0.name) \($0.value)" }
        .joined(separator: ", ")
    }
  }

  /// One object.
  var json: String {
    "{\n" + fields.map { "  \"\($0.name)\": \($0.value)" }.joined(separator: ",\n") + "\n}\n"
  }
}
