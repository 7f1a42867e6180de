package import Bytes
import JSONText
package import Ledger
import SegmentLog

/// What a replay came to.
package struct ReplaySummary: Hashable, Sendable {
  /// The last batch applied.
  package var index = LogIndex.zero
  /// Its term.
  package var term = Term.zero
  /// The last event applied.
  package var sequence = EventSequence.zero
  /// That batch's hash: it vouches for every batch before it.
  package var chainHash = Digest256.zero
  /// The ledger's digest, which equals the running node's at this index.
  package var ledgerDigest = Digest256.zero
  /// Accounts.
  package var accountCount = 0
  /// What the events gave.
  package var counts = LedgerCounts()
  /// Length of all records, uncompressed.
  package var recordsByteCount: UInt64 = 0

  /// Nothing replayed.
  package init() {}
}

extension AgreedLog {
  /// Rebuilds the ledger up to `limit`, the last certainly committed batch where it is nil.
  package func replaySummary(through limit: LogIndex? = nil) throws(AuditError) -> ReplaySummary {
    if let limit, limit > lastIndex { throw .beyondEnd(asked: limit, last: lastIndex) }
    let ledger = try replay(through: limit ?? committed)
    var summary = ReplaySummary()
    summary.index = ledger.index
    summary.term = ledger.term
    summary.sequence = ledger.state.lastSequence
    summary.chainHash = ledger.hash
    summary.ledgerDigest = ledger.state.digest
    summary.accountCount = ledger.state.accountCount
    summary.counts = ledger.state.counts
    summary.recordsByteCount = ledger.recordsByteCount
    return summary
  }

  /// Writes a replay's result.
  package func writeReplay(
    _ summary: ReplaySummary, format: ReportFormat, to writer: ReportWriter
  ) throws(AuditError) {
    try writing { () throws(OutputError) in
      switch format {
      case .table: try writeTable(summary, to: writer)
      case .json: try writeJSON(summary, to: writer)
      }
      try writer.flush()
    }
  }

  private func writeTable(
    _ summary: ReplaySummary, to writer: ReportWriter
  ) throws(OutputError) {
    let counts = summary.counts
    var table = TextTable([("replayed", .left), ("", .left)])
    table.add(["index", "\(summary.index.rawValue) (term \(summary.term.rawValue))"])
    table.add(["events", ReportText.grouped(counts.events)])
    table.add(["applied", ReportText.grouped(counts.applied)])
    table.add(["duplicates", ReportText.grouped(counts.duplicates)])
    table.add(["rejected", ReportText.grouped(counts.rejected)])
    table.add(["noted", ReportText.grouped(counts.noted)])
    table.add(["accounts", ReportText.grouped(summary.accountCount)])
    table.add(["chain hash", summary.chainHash.hexadecimal])
    table.add(["ledger digest", summary.ledgerDigest.hexadecimal])
    table.add(["certainly committed", "index \(committed.rawValue)"])
    table.add(["in the log after that", ReportText.count(tailCount, "batch") + " uncommitted"])
    try table.write(to: writer)
  }

  private func writeJSON(
    _ summary: ReplaySummary, to writer: ReportWriter
  ) throws(OutputError) {
    var json = JSONWriter(capacity: 1024)
    json.beginObject()
    let numbers: [(StaticString, UInt64)] = [
      ("index", summary.index.rawValue), ("term", summary.term.rawValue),
      ("sequence", summary.sequence.rawValue), ("events", summary.counts.events),
      ("applied", summary.counts.applied), ("duplicates", summary.counts.duplicates),
      ("rejected", summary.counts.rejected), ("noted", summary.counts.noted),
      ("accounts", UInt64(summary.accountCount)), ("committed_index", committed.rawValue),
      ("last_index", lastIndex.rawValue), ("records_bytes", summary.recordsByteCount),
    ]
    for (name, number) in numbers {
      json.key(name)
      json.integer(number)
    }
    json.key("chain_hash")
    json.string(summary.chainHash.hexadecimal)
    json.key("ledger_digest")
    json.string(summary.ledgerDigest.hexadecimal)
    json.endObject()
    json.endLine()
    writer.text.append(contentsOf: json.bytes)
  }
}
