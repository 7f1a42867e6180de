import Bytes
import HybridTime
import JSONText
import Ledger

extension Event {
  /// What a journal's record says, as a few words.
  var journalText: String {
    switch self {
    case .clockMeasurement(let measurement):
      "(clock of \(measurement.sourceName): "
        + "\(ReportText.duration(measurement.offsetNanoseconds, signed: true)) ± "
        + "\(ReportText.duration(measurement.bound)))"
    case .logProgress(let progress):
      "(log: \(ReportText.count(progress.marks.count, "mark")), batches up to "
        + "\(progress.marks.last?.position.applied.rawValue ?? 0) applied)"
    case .occurrence(let occurrence): occurrence.text
    case .payment, .clockReport, .beacon, .membership, .policy, .leadership: ""
    }
  }

  /// Writes the kind's name, as the value of a key that has been written, and the members of a journal's
  /// record.
  func write(to json: inout JSONWriter) {
    switch self {
    case .clockMeasurement(let measurement):
      json.string("clock_measurement")
      json.key("source")
      json.string(measurement.sourceName)
      json.members([
        "offset_ns": measurement.offsetNanoseconds, "bound_ns": measurement.bound,
      ])
    case .logProgress(let progress):
      json.string("log_progress")
      json.key("marks")
      json.integer(progress.marks.count)
    case .occurrence(let occurrence): occurrence.write(to: &json)
    case .payment, .clockReport, .beacon, .membership, .policy, .leadership: json.string("")
    }
  }
}

extension NodeOccurrence {
  /// What happened, as a few words.
  fileprivate var text: String {
    let word = ReportText.safe(Array(word.utf8))
    let about = peer.map { " node \($0.rawValue)" } ?? ""
    return switch topic {
    case .started: "(started, log up to batch \(number))"
    case .stopped: "(stopped)"
    case .role: "(\(word) in term \(number), leader\(peer == nil ? " unknown" : about))"
    case .peerHealth: "(\(about.dropFirst()) is \(word))"
    case .clock: "(clock \(word), epoch \(number))"
    case .paymentRefused:
      id.map { "\($0.text) refused: \(word)" }
        ?? "(\(ReportText.count(number, "payment")) refused: \(word))"
    case .peerRefused: "(refused what\(about) sent: \(word))"
    case .truncated: "(uncommitted batches from \(number) on replaced)"
    case .ledgerDiffers: "(the ledger of\(about) differs at batch \(number))"
    case .transfer: "(handing leadership over \(word))"
    case .removed: "(no member any more)"
    case .lost: "(the journal lacks \(ReportText.count(number, "record")))"
    case .contradicted: "(\(about.dropFirst()) has signed another log, up to batch \(number))"
    }
  }

  fileprivate func write(to json: inout JSONWriter) {
    json.string(topic.name)
    if let peer {
      json.key("about")
      json.integer(peer.rawValue)
    }
    if number > 0 {
      json.key("number")
      json.integer(number)
    }
    if let id {
      json.key("transaction_id")
      json.string(id.text)
    }
    if !word.isEmpty {
      json.key("word")
      json.string(word)
    }
  }
}

extension ClockMeasurement {
  /// Whose clock it was.
  var sourceName: String {
    switch kind {
    case .peer: "node\(id)"
    case .server: "server\(id)"
    case .kernel: "kernel"
    }
  }

  /// ± about the offset: half the way, and what the source says of itself.
  var bound: Int64 {
    let (bound, isTooLarge) = (delayNanoseconds / 2 + delayNanoseconds % 2)
      .addingReportingOverflow(errorNanoseconds)
    return isTooLarge ? .max : bound
  }
}
