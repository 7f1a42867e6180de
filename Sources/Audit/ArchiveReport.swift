import JSONText
package import SegmentLog

/// What archiving a log's sealed segments came to.
package struct ArchiveReport: Sendable {
  /// The directory of segments that was read.
  package let source: String
  /// Where the archive is.
  package let target: String
  /// The sealed segments, in order.
  package private(set) var segments: [ArchivedSegment] = []
  /// Segments that are not sealed yet, and not in the archive.
  package private(set) var liveCount = 0
  /// A segment without a seal that stands before one that has one.
  private var gap: SegmentID?

  /// Compresses the sealed segments of the log at `path` again into the directory `target`, and
  /// reads each again. `level`: LZ4's, 1 to 12.
  package init(
    _ path: String, into target: String, level: Int, in files: some LogFileSystem,
    meter: ProgressMeter
  ) throws(AuditError) {
    source = try LogSource(path, in: files).log
    self.target = target
    try Self.requireNoLog(target, in: files)
    do throws(ArchiveProblem) {
      try archive(level: level, in: files, meter)
    } catch {
      switch error {
      case .source(let problem): throw AuditError(problem, directory: source)
      case .archive(let problem): throw AuditError(problem, directory: target)
      case .differs(let id): throw .archiveDiffers("\(target)/\(id.fileName)")
      }
    }
    if let gap { throw .notSealed("\(source)/\(gap.fileName)") }
  }

  /// A node's own files are not an archive: it makes, mends and locks them.
  private static func requireNoLog<Files: LogFileSystem>(
    _ target: String, in files: Files
  ) throws(AuditError) {
    for directory in [target, target + "/.."] {
      let names = (try? files.list(directory)) ?? []
      if names.contains("lock") && names.contains(HardStateFile<Files>.fileName) {
        throw .archiveIsNode(target)
      }
    }
  }

  private mutating func archive<Files: LogFileSystem>(
    level: Int, in files: Files, _ meter: ProgressMeter
  ) throws(ArchiveProblem) {
    let ids: [SegmentID]
    var archiver: SegmentArchiver<Files>
    do throws(LogError) {
      ids = try SegmentScanner(files, directory: source).segments()
      archiver = try SegmentArchiver(files, directory: source, target: target, level: level)
    } catch {
      throw .source(error)
    }
    var firstLive: SegmentID?
    for (place, id) in ids.enumerated() {
      let successor = place + 1 < ids.count ? ids[place + 1] : nil
      guard let segment = try archiver.archive(id, successor: successor) else {
        liveCount += 1
        firstLive = firstLive ?? id
        continue
      }
      gap = gap ?? firstLive
      segments.append(segment)
      meter.advance(by: segment.byteCountBefore)
    }
  }

  private func sum(_ part: (ArchivedSegment) -> UInt64) -> UInt64 {
    segments.reduce(0) { $0 + part($1) }
  }

  /// Writes the report.
  package func write(_ format: ReportFormat, to writer: ReportWriter) throws(AuditError) {
    try writing { () throws(OutputError) in
      switch format {
      case .table: try writeTable(to: writer)
      case .json: writeJSON(to: writer)
      }
      try writer.flush()
    }
  }

  private func writeTable(to writer: ReportWriter) throws(OutputError) {
    var table = TextTable([
      ("segment", .left), ("events", .right), ("records", .right), ("log", .right),
      ("archive", .right), ("", .left),
    ])
    for segment in segments {
      table.add([
        segment.id.fileName, ReportText.grouped(segment.eventCount),
        ReportText.bytes(segment.recordsByteCount), ReportText.bytes(segment.byteCountBefore),
        ReportText.bytes(segment.byteCountAfter), segment.wasThere ? "was there" : "",
      ])
    }
    try table.write(to: writer)
    try writer.line()
    let events = sum(\.eventCount)
    try writer.line(
      "\(ReportText.count(segments.count, "segment")) in \(target), each read again; "
        + "\(ReportText.count(liveCount, "segment")) not sealed yet.")
    if events > 0 {
      try writer.line(
        "Bytes for an event: \(perEvent(\.recordsByteCount)) of records, "
          + "\(perEvent(\.byteCountBefore)) in the log, \(perEvent(\.byteCountAfter)) in the archive."
      )
    }
  }

  private func perEvent(_ part: (ArchivedSegment) -> UInt64) -> String {
    ReportText.decimal(sum(part) * 10 / max(1, sum(\.eventCount)), decimals: 1)
  }

  private func writeJSON(to writer: ReportWriter) {
    var json = JSONWriter(capacity: 4096)
    json.beginObject()
    json.key("source")
    json.string(source)
    json.key("archive")
    json.string(target)
    json.key("live_segments")
    json.integer(UInt64(liveCount))
    json.key("segments")
    json.beginArray()
    for segment in segments {
      json.beginObject()
      json.key("segment")
      json.string(segment.id.fileName)
      json.key("events")
      json.integer(segment.eventCount)
      json.key("records_bytes")
      json.integer(segment.recordsByteCount)
      json.key("log_bytes")
      json.integer(segment.byteCountBefore)
      json.key("archive_bytes")
      json.integer(segment.byteCountAfter)
      json.key("was_there")
      json.boolean(segment.wasThere)
      json.endObject()
    }
    json.endArray()
    json.endObject()
    json.endLine()
    writer.text.append(contentsOf: json.bytes)
  }
}
