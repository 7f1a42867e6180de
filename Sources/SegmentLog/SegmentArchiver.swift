import Bytes

/// A sealed segment that has been compressed again.
package struct ArchivedSegment: Hashable, Sendable {
  /// Which segment.
  package let id: SegmentID
  /// Its events.
  package let eventCount: UInt64
  /// Length of its records, uncompressed, bytes.
  package let recordsByteCount: UInt64
  /// Length of the file that was read, bytes.
  package let byteCountBefore: UInt64
  /// Length of the file in the archive, bytes.
  package let byteCountAfter: UInt64
  /// Whether the archive had it already.
  package let wasThere: Bool
}

/// Why a segment could not be archived.
package enum ArchiveProblem: Error, Sendable {
  /// It cannot be read, or not be written.
  case source(LogError)
  /// The archive's own file of that name cannot be read.
  case archive(LogError)
  /// The archive's file of that name is not sealed, or tells another history.
  case differs(SegmentID)
}

/// Compresses sealed segments again into another directory, with no change to any hash or proof: a
/// batch's hash, the chain, the Merkle tree and the ledger's digests are over what is uncompressed.
///
/// A segment has its name in the archive only when it is whole, durable, and has been read again; one
/// that was interrupted is begun anew.
package struct SegmentArchiver<FS: LogFileSystem>: ~Copyable {
  private let fileSystem: FS
  private let scanner: SegmentScanner<FS>
  private let target: String
  private var compressor: FrameCompressor

  /// An archiver of the log in `directory` into the directory `target`, which is made where it is
  /// not there. `level`: LZ4's, 3 to 12 are high compression.
  package init(
    _ fileSystem: FS, directory: String, target: String, level: Int
  ) throws(LogError) {
    self.fileSystem = fileSystem
    self.target = target
    scanner = SegmentScanner(fileSystem, directory: directory)
    compressor = FrameCompressor(level: level)
    try files { () throws(FileError) in
      try fileSystem.createDirectory(target)
      try fileSystem.removeUnfinished(target)
    }
  }

  /// Archives one segment; nil where it is not sealed.
  ///
  /// Errors: damage, in it or in the archive's own file of that name; another history there; files.
  package mutating func archive(
    _ id: SegmentID, successor: SegmentID?
  ) throws(ArchiveProblem) -> ArchivedSegment? {
    let sealed: ScannedSegment?
    let wasThere: Bool
    do throws(LogError) {
      let segment = try scanner.open(id, successor: successor)
      sealed = segment?.footer == nil ? nil : segment
      wasThere = try list().contains(id.fileName)
      if let sealed, !wasThere { try write(sealed) }
    } catch {
      throw .source(error)
    }
    guard let sealed else { return nil }
    if wasThere { return try compare(sealed, wasThere: true) }
    let archived = try compare(sealed, named: id.unfinishedFileName, wasThere: false)
    let (fileSystem, target) = (fileSystem, target)
    do throws(FileError) {
      try fileSystem.rename(
        target + "/" + id.unfinishedFileName, to: target + "/" + id.fileName)
      try fileSystem.syncDirectory(target)
    } catch {
      throw .source(.file(error))
    }
    return archived
  }

  private func list() throws(LogError) -> [String] {
    let (fileSystem, target) = (fileSystem, target)
    return try files { () throws(FileError) in try fileSystem.list(target) }
  }

  /// Writes the segment under its unfinished name, each batch as it is verified.
  private mutating func write(_ source: ScannedSegment) throws(LogError) {
    let (fileSystem, path) = (fileSystem, target + "/" + source.id.unfinishedFileName)
    let file = try files { () throws(FileError) in try fileSystem.open(path, .create) }
    var output = SegmentOutput<FS>(
      file: file, summary: SegmentSummary(header: source.header, lastTerm: .zero),
      buffer: source.header.encoded)
    var iterator = SegmentIterator(source)
    while let header = try iterator.next() {
      let (again, bytes) = iterator.withRecords { records in compress(header, records) }
      output.summary.append(again)
      try output.append(bytes)
    }
    // The index is over events, and so the same wherever the batches lie.
    guard case .sealed(let footer) = iterator.tail, let index = source.index else {
      throw .notSealable(source.id)
    }
    try output.flush()
    let (end, tail) = (
      output.summary.byteCount,
      SegmentFooter(output.summary, footer.evidence, index).encoded(index)
    )
    try files { () throws(FileError) in
      try file.write(tail.span.bytes, at: end)
      try file.sync()
    }
  }

  private mutating func compress(
    _ header: BatchHeader, _ records: borrowing RawSpan
  ) -> (header: BatchHeader, bytes: [UInt8]) {
    var writer = ByteWriter(capacity: BatchHeader.byteCount + header.frameByteCount)
    BatchHeader.encodeHashed(header.fields, recordsByteCount: records.byteCount, into: &writer)
    let frame = records.byteCount == 0 ? nil : compressor.compress(records)
    let again = BatchHeader(
      fields: header.fields, recordsByteCount: records.byteCount, hash: header.hash,
      frameByteCount: frame?.count ?? 0)
    again.encodeRest(into: &writer)
    if let frame { writer.append(contentsOf: frame) }
    return (again, writer.bytes)
  }

  /// Reads the archive's file, every byte, and requires that it tells the same as the source.
  private func compare(
    _ source: ScannedSegment, named name: String? = nil, wasThere: Bool
  ) throws(ArchiveProblem) -> ArchivedSegment {
    let archive = SegmentScanner(fileSystem, directory: target)
    let found: (segment: ScannedSegment, lastHash: Digest256)?
    do throws(LogError) {
      let segment = try archive.open(
        source.id, named: name ?? source.id.fileName, successor: nil)
      if let segment {
        var iterator = SegmentIterator(segment)
        while try iterator.next() != nil {}
        found = (segment, iterator.summary.lastHash)
      } else {
        found = nil
      }
    } catch {
      throw .archive(error)
    }
    guard let (archived, lastHash) = found, let footer = archived.footer,
      let expected = source.footer, archived.header == source.header,
      footer.totals == expected.totals, footer.evidence == expected.evidence,
      footer.ids == expected.ids, footer.names == expected.names,
      lastHash == expected.totals.lastHash
    else { throw .differs(source.id) }
    return ArchivedSegment(
      id: source.id, eventCount: expected.totals.eventCount,
      recordsByteCount: expected.totals.recordsByteCount,
      byteCountBefore: UInt64(source.bytes.byteCount),
      byteCountAfter: UInt64(archived.bytes.byteCount), wasThere: wasThere)
  }
}
