import Bytes
import HybridTime
import Ledger
import SegmentLog
import Timeline

/// A part of a report: the same rows for the terminal and for the page.
struct ReportSection {
  var title: String
  /// Sentences before the table.
  var sentences: [String] = []
  var columns: [(String, TextTable.Alignment)] = []
  var rows: [[String]] = []
  /// More rows than these there are; they are left out.
  var omittedCount = 0

  /// Keeps the first `limit` rows.
  init(
    _ title: String, _ sentences: [String] = [], _ columns: [(String, TextTable.Alignment)] = [],
    _ rows: [[String]] = [], limit: Int = .max
  ) {
    self.title = title
    self.sentences = sentences
    self.columns = columns
    self.rows = Array(rows.prefix(limit))
    omittedCount = max(0, rows.count - limit)
  }

  func write(to writer: ReportWriter) throws(OutputError) {
    try writer.line(title + ":")
    for sentence in sentences { try writer.line(sentence) }
    guard !rows.isEmpty else { return }
    var table = TextTable(columns)
    for row in rows { table.add(row) }
    try table.write(to: writer)
    if omittedCount > 0 {
      try writer.line("… and \(ReportText.grouped(omittedCount)) more: --format json has all.")
    }
  }

  var html: String {
    func cells(_ tag: String, _ row: [String]) -> String {
      zip(columns, row).map { column, cell in
        "<\(tag)\(column.1 == .right ? " class=\"n\"" : "")>\(PlotText.escaped(cell))</\(tag)>"
      }.joined()
    }
    let words = sentences.map { "<p>\(PlotText.escaped($0))</p>\n" }.joined()
    let heading = "<h2>\(PlotText.escaped(title))</h2>\n\(words)"
    guard !rows.isEmpty else { return heading }
    let body = rows.map { "<tr>\(cells("td", $0))</tr>" }.joined(separator: "\n")
    let rest = omittedCount > 0 ? "<p>… and \(ReportText.grouped(omittedCount)) more.</p>\n" : ""
    return heading
      + "<div class=\"scroll\"><table><tr>\(cells("th", columns.map(\.0)))</tr>\n\(body)</table></div>\n"
      + rest
  }
}

extension SkewReport {
  /// The report's parts in order, with at most `limit` rows where there may be many.
  func sections(limit: Int) -> [ReportSection] {
    var sections = [clockSection, orderSection, certaintySection]
    if let bounds { sections.append(boundSection(bounds)) }
    if !causality.pairs.isEmpty { sections.append(causality.section) }
    sections.append(syncSection(limit: limit))
    if let tolerance { sections.append(tolerance.section(limit: limit)) }
    if let whatIf { sections.append(whatIf.section) }
    if let effects { sections.append(effects.section) }
    if !affected.isEmpty { sections.append(affectedSection) }
    return sections + [timeSection]
  }

  var orders: [(name: StaticString, title: String, disorder: Disorder)] {
    [
      ("raw_against_log", "raw clock against the log", rawAgainstLog),
      ("corrected_against_log", "corrected time against the log", correctedAgainstLog),
      ("hlc_against_log", "hybrid time against the log", hybridAgainstLog),
      ("raw_against_corrected", "raw clock against corrected time", rawAgainstCorrected),
    ]
  }

  private var clockSection: ReportSection {
    ReportSection(
      "Clocks", ["Offset is raw clock − cluster time; true within the bound."],
      [
        ("node", .right), ("stamps", .right), ("offset min", .right), ("median", .right),
        ("max", .right), ("drift ppm", .right), ("bound min", .right), ("median", .right),
        ("max", .right), ("epochs", .right), ("status", .left),
      ],
      nodes.map { node in
        [
          String(node.node.rawValue), ReportText.grouped(node.count),
          ReportText.duration(node.offset.min, signed: true),
          ReportText.duration(node.offset.median, signed: true),
          ReportText.duration(node.offset.max, signed: true),
          node.driftPartsPerBillion.map { ReportText.decimal($0, decimals: 3) } ?? "–",
          ReportText.duration(node.bound.min), ReportText.duration(node.bound.median),
          ReportText.duration(node.bound.max), ReportText.grouped(node.epochCount),
          ClockStatus.allCases.compactMap { status in
            node.statuses[status].map { "\(status.name) \(ReportText.grouped($0))" }
          }.joined(separator: ", "),
        ]
      })
  }

  private var orderSection: ReportSection {
    ReportSection(
      "Order of \(ReportText.count(paymentCount, "payment"))", [],
      [
        ("compared", .left), ("pairs out of order", .right), ("neighbours", .right),
        ("payments affected", .right), ("farthest moved", .right), ("most behind", .right),
      ],
      orders.map { order in
        [
          order.title, ReportText.grouped(order.disorder.invertedPairCount),
          ReportText.grouped(order.disorder.adjacentCount),
          ReportText.grouped(order.disorder.affectedCount),
          ReportText.count(order.disorder.displacementMax, "place"),
          ReportText.duration(order.disorder.regressionMax),
        ]
      })
  }

  private var certaintySection: ReportSection {
    let near = pairs
    let sentences =
      allPairs.contradicted == 0
      ? []
      : [
        "Of those certainly the other way round, \(ReportText.grouped(allPairs.contradicted)) came with a message "
          + "the other way: a clock was not within its bound."
      ]
    return ReportSection(
      "What time makes certain", sentences,
      [("pairs of payments", .left), ("neighbours in the log", .right), ("all", .right)],
      [
        ("certainly in the log's order", ReportText.grouped(near.ordered), allPairs.ordered),
        ("certainly the other way round", ReportText.grouped(near.reversed), allPairs.reversed),
        ("ordered by one node's own clock", ReportText.grouped(near.causal), allPairs.causal),
        ("ordered by a message, as a journal tells", "", allPairs.byMessage),
        ("undecidable by time", ReportText.grouped(near.undecidable), allPairs.undecidable),
      ].map { [$0.0, $0.1, ReportText.grouped($0.2)] })
  }

  private func boundSection(_ bounds: (stamped: Spread, tightened: Spread)) -> ReportSection {
    let rest =
      answerCount == 0
      ? "No time server's answer is in the journals: narrowed by the stamps alone."
      : "Narrowed by the stamps and \(ReportText.count(answerCount, "answer")) of time servers in the journals, "
        + "from before and after."
    return ReportSection(
      "Bounds of payments", [rest],
      [("", .left), ("least", .right), ("median", .right), ("greatest", .right)],
      [("as stamped", bounds.stamped), ("narrowed in retrospect", bounds.tightened)].map {
        [
          $0.0, ReportText.duration($0.1.min), ReportText.duration($0.1.median),
          ReportText.duration($0.1.max),
        ]
      })
  }

  private func syncSection(limit: Int) -> ReportSection {
    ReportSection(
      "Synchronization, as the stamps tell it",
      syncLog.gaps.prefix(limit).map { gap in
        let end =
          gap.end.map { "until \(TimeText.text(nanoseconds: $0, decimals: 3))" } ?? "to the end"
        return "Node \(gap.node.rawValue) was not synchronized from "
          + "\(TimeText.text(nanoseconds: gap.start, decimals: 3)) \(end): "
          + "\(ReportText.count(gap.paymentCount, "payment")), bound at most "
          + "\(ReportText.duration(gap.boundMax))."
      },
      [
        ("time", .left), ("node", .right), ("what", .left), ("status", .left),
        ("reference", .left), ("bound", .right), ("epoch", .right),
      ],
      syncLog.events.map { event in
        [
          TimeText.text(nanoseconds: event.time, decimals: 3), String(event.node.rawValue),
          event.kind.text, event.status.name, event.reference.name,
          ReportText.duration(event.bound), String(event.epoch),
        ]
      }, limit: limit)
  }

  private var affectedSection: ReportSection {
    ReportSection(
      "First \(affected.count) of \(ReportText.grouped(rawAgainstLog.affectedCount)) payments "
        + "that the raw clocks put out of order", [],
      [
        ("sequence", .right), ("transaction", .left), ("node", .right), ("raw clock", .left),
        ("corrected", .left), ("bound", .right),
      ],
      affected.map { payment in
        [
          String(payment.sequence.rawValue), payment.id, String(payment.stamp.node.rawValue),
          TimeText.text(nanoseconds: payment.stamp.reading.rawNanoseconds),
          TimeText.text(nanoseconds: payment.stamp.correctedNanoseconds),
          ReportText.duration(payment.stamp.reading.boundNanoseconds),
        ]
      })
  }

  private var timeSection: ReportSection {
    let rows = nodes.flatMap { node in node.buckets.map { (node.node, $0) } }
    return ReportSection(
      "Over time", [],
      [
        ("from", .left), ("node", .right), ("stamps", .right), ("offset median", .right),
        ("spread", .right), ("bound max", .right), ("epochs", .left), ("status", .left),
      ],
      rows.sorted { ($0.1.start, $0.0) < ($1.1.start, $1.0) }.map { node, bucket in
        [
          TimeText.text(nanoseconds: bucket.start, decimals: 3), String(node.rawValue),
          ReportText.grouped(bucket.count),
          ReportText.duration(bucket.offset.median, signed: true),
          ReportText.duration(bucket.offset.max &- bucket.offset.min),
          ReportText.duration(bucket.bound.max),
          bucket.epochs.count == 1
            ? "\(bucket.epochs.lowerBound)"
            : "\(bucket.epochs.lowerBound)–\(bucket.epochs.upperBound)",
          bucket.statuses.map(\.name).joined(separator: ", "),
        ]
      })
  }
}

extension SyncEvent.Kind {
  fileprivate var text: String {
    switch self {
    case .state: "clock state"
    case .step(let nanoseconds):
      "system clock set by \(ReportText.duration(nanoseconds, signed: true))"
    case .pause: "disrupted: a pause or a step"
    }
  }
}

extension CausalityReport {
  fileprivate var section: ReportSection {
    func range(_ interval: CausalInterval) -> String {
      guard let range = interval.range else {
        if let high = interval.high { return "≤ " + ReportText.duration(high, signed: true) }
        if let low = interval.low { return "≥ " + ReportText.duration(low, signed: true) }
        return "–"
      }
      return ReportText.duration(range.lowerBound, signed: true) + " … "
        + ReportText.duration(range.upperBound, signed: true)
    }
    return ReportSection(
      "Clocks by cause and effect alone", sentences,
      [
        ("nodes", .left), ("messages", .right), ("back", .right), ("raw clocks apart", .right),
        ("corrected apart", .right), ("raw out of order", .right), ("corrected", .right),
        ("impossible", .right),
      ],
      pairs.map { pair in
        [
          "\(pair.first.rawValue) → \(pair.second.rawValue)",
          ReportText.grouped(pair.messageCounts.there),
          ReportText.grouped(pair.messageCounts.back),
          range(pair.raw) + (pair.isRawSteady ? "" : " moved"), range(pair.corrected),
          ReportText.grouped(pair.rawCount), ReportText.grouped(pair.correctedCount),
          ReportText.grouped(pair.impossibleCount),
        ]
      })
  }

  private var sentences: [String] {
    var lines = [
      journals.isEmpty
        ? "No journal was read: how the log's batches came to the followers is not known."
        : "By the journals of \(ReportText.count(journals.count, "node")): what was sent before it was received. "
          + "Apart is the second clock − the first, if it stayed the same within a part of the time."
    ]
    for node in rawOutliers {
      lines.append(
        "Node \(node.rawValue)'s system clock is the outlier: it cannot have read as any other did, and those may agree."
      )
    }
    for message in impossible {
      let what =
        message.kind == .sequenced
        ? "sent an event of batch \(message.index.rawValue)"
        : "closed batch \(message.index.rawValue)"
      lines.append(
        "Node \(message.sender.rawValue) \(what) no earlier than "
          + "\(TimeText.text(nanoseconds: message.sentEarliest)), node \(message.receiver.rawValue) had it no "
          + "later than \(TimeText.text(nanoseconds: message.receivedLatest)): one of both clocks was not "
          + "within its bound.")
    }
    for node in suspects {
      lines.append("All of these have node \(node.rawValue) in them.")
    }
    if earlyCommitCount > 0 {
      lines.append(
        "Of \(ReportText.grouped(commitCount)) batches \(ReportText.grouped(earlyCommitCount)) were committed by "
          + "the leader's clock before a majority had them by theirs.")
    }
    return lines
  }
}

extension ToleranceReport {
  /// A share in percent with two decimals, rounded down: 100 % is all.
  private func percent(_ count: Int) -> String {
    guard paymentCount > 0 else { return "–" }
    return ReportText.decimal(count * 10_000 / paymentCount, decimals: 2) + " %"
  }

  fileprivate func section(limit: Int) -> ReportSection {
    ReportSection(
      "Tolerance \(tolerance.name) (\(ReportText.duration(tolerance.nanoseconds)))",
      [
        "\(ReportText.grouped(coveredCount)) of \(ReportText.count(paymentCount, "payment")) "
          + "(\(percent(coveredCount))) certainly within it when stamped, "
          + "\(ReportText.grouped(tightenedCount)) (\(percent(tightenedCount))) in retrospect."
      ],
      [
        ("from", .left), ("to", .left), ("node", .right), ("why", .left), ("payments", .right),
        ("sequences", .left), ("bound max", .right),
      ],
      violations.map { violation in
        [
          TimeText.text(nanoseconds: violation.start, decimals: 3),
          TimeText.text(nanoseconds: violation.end, decimals: 3),
          String(violation.node.rawValue), violation.reason.rawValue,
          ReportText.grouped(violation.count),
          "\(violation.sequences.lowerBound)–\(violation.sequences.upperBound)",
          ReportText.duration(violation.boundMax),
        ]
      }, limit: limit)
  }
}

extension WhatIfReport {
  var sentence: String {
    skews.map { skew in
      "node \(skew.node.rawValue) \(ReportText.duration(skew.offset, signed: true)), drift "
        + "\(ReportText.decimal(skew.drift, decimals: 3)) ppm, jitter \(ReportText.duration(skew.jitter))"
    }.joined(separator: "; ")
  }

  fileprivate var section: ReportSection {
    ReportSection(
      "What if the clocks had been wrong, and nothing had corrected them", [sentence + "."],
      [
        ("share of it", .right), ("pairs out of order", .right), ("payments affected", .right),
        ("farthest moved", .right), ("most behind", .right),
      ],
      doses.map { dose in
        [
          ReportText.decimal(dose.permille, decimals: 3),
          ReportText.grouped(dose.disorder.invertedPairCount),
          ReportText.grouped(dose.disorder.affectedCount),
          ReportText.count(dose.disorder.displacementMax, "place"),
          ReportText.duration(dose.disorder.regressionMax),
        ]
      })
  }
}

extension OrderEffects {
  fileprivate var section: ReportSection {
    ReportSection(
      "In order of \(order.rawValue) time",
      [
        "\(ReportText.count(movedCount, "payment")) would stand elsewhere, "
          + "\(ReportText.grouped(acceptanceCount)) would have been accepted or rejected otherwise, "
          + "after \(ReportText.grouped(balanceCount)) an account would have had another balance; "
          + "\(ReportText.count(finalBalanceCount, "account")) would end with another balance."
      ],
      [
        ("sequence", .right), ("transaction", .left), ("in the log", .left),
        ("in that order", .left), ("sender then", .right), ("in that order", .right),
        ("receiver then", .right), ("in that order", .right),
      ],
      affected.map { payment in
        [
          String(payment.sequence.rawValue), payment.id, payment.outcomes.log.name,
          payment.outcomes.other.name, String(payment.senderBalances.log),
          String(payment.senderBalances.other), String(payment.receiverBalances.log),
          String(payment.receiverBalances.other),
        ]
      })
  }
}
