package import Bytes
import JSONText
package import SegmentLog

/// One node's logs, re-read.
package struct NodeVerification: Sendable {
  /// The directory as it was given.
  package let label: String
  /// The replicated log; nil where the directory could not be read.
  package let log: LogVerification?
  /// The journal, where there is one.
  package let journal: LogVerification?
  /// Why the directory could not be read.
  package let failure: String?

  /// The first fault of both.
  package var fault: LogFault? { log?.fault ?? journal?.fault }
  /// Why something could not be read.
  package var failures: [String] {
    [failure, log?.failure, journal?.failure].compactMap { $0 }
  }
}

/// Two nodes that do not hold the same.
package struct Divergence: Hashable, Sendable {
  /// The node compared with.
  package let reference: String
  /// The node that differs.
  package let label: String
  /// The first index at which it does.
  package let index: LogIndex
  /// What differs, in words, with file and offset.
  package let reason: String
  /// Whether the difference lies after what is certainly committed, where logs may differ.
  package let isTail: Bool
}

/// How directories are verified.
package struct VerifyOptions {
  /// The file of a trust policy; nil: the one beside the logs counts, if there is one.
  package var policyPath: String?
  /// Files of checkpoints that the logs must agree with, beside those beside them.
  package var checkpointPaths: [String] = []
  /// A checkpoint to begin at: what lies before is not read.
  package var sincePath: String?
  /// Carries out jobs on all cores; by default one after the other.
  package var workers: Workers = { count, job in for number in 0..<count { job(number) } }

  /// The defaults.
  package init() {}
}

/// What re-reading every byte of several nodes' directories found.
package struct VerifyReport: Sendable {
  /// In the order given.
  package let nodes: [NodeVerification]
  /// Where nodes differ.
  package let divergences: [Divergence]
  /// The signed checkpoints that were found.
  package let checkpoints: SignedCheckpoints

  /// Checkpoints that none of the logs reaches: all have been cut.
  package var unreached: [FoundCheckpoint] {
    let logs = nodes.compactMap(\.log)
    return logs.first?.unreached.filter { found in logs.allSatisfy { $0.unreached.contains(found) }
    }
      ?? []
  }

  /// Whether anything is wrong: a fault, or a difference in what is committed.
  package var hasFault: Bool {
    nodes.contains { $0.fault != nil } || divergences.contains { !$0.isTail }
      || !checkpoints.equivocations.isEmpty || !unreached.isEmpty
  }

  /// Whether something could not be read.
  package var hasFailure: Bool {
    nodes.contains { !$0.failures.isEmpty } || !checkpoints.problems.isEmpty
  }

  /// Length of all files read, bytes.
  package var byteCount: UInt64 { sum(\.byteCount) }
  /// Length of all records, uncompressed, bytes.
  package var recordsByteCount: UInt64 { sum(\.recordsByteCount) }
  /// Events read, each copy counted.
  package var eventCount: UInt64 { sum(\.eventCount) }

  private func sum(_ part: (LogVerification) -> UInt64) -> UInt64 {
    nodes.flatMap { [$0.log, $0.journal] }.compactMap { $0 }.reduce(0) { $0 + part($1) }
  }

  /// Re-reads every byte under `directories` and compares the nodes' logs.
  package init(
    _ directories: [String], _ options: VerifyOptions = VerifyOptions(),
    in files: some LogFileSystem, meter: ProgressMeter
  ) throws(AuditError) {
    guard !directories.isEmpty else { throw .noSources }
    // Before the logs: what is signed is durable, so a running node's log has it.
    let checkpoints = try SignedCheckpoints(
      beside: directories.map(LogSource.withoutTrailingSlashes), and: options.checkpointPaths,
      policyPath: options.policyPath, in: files)
    self.checkpoints = checkpoints
    var since: FoundCheckpoint?
    if let path = options.sincePath {
      since = try SignedCheckpoints.read(path, under: checkpoints.policy, in: files)
    }
    nodes = directories.map { directory in
      do throws(AuditError) {
        let source = try LogSource(directory, in: files)
        return NodeVerification(
          label: source.label,
          log: LogVerification(
            directory: source.log, isLedger: true,
            expecting: LogExpectation(
              checkpoints: checkpoints.of(source.label, and: options.checkpointPaths), since: since,
              mayBeAhead: directories.count > 1 ? Set(options.checkpointPaths) : []),
            in: files, workers: options.workers, meter: meter),
          journal: source.journal.map {
            LogVerification(
              directory: $0, isLedger: false, in: files, workers: options.workers, meter: meter)
          },
          failure: nil)
      } catch {
        return NodeVerification(
          label: directory, log: nil, journal: nil, failure: error.description)
      }
    }
    divergences = Self.compare(nodes)
  }

  /// Compares every node with the one that has the longest log.
  private static func compare(_ nodes: [NodeVerification]) -> [Divergence] {
    let logs = nodes.compactMap { node in node.log.map { (node.label, $0) } }
    guard let reference = logs.max(by: { $0.1.lastIndex < $1.1.lastIndex }) else { return [] }
    let committed = logs.map(\.1.commit).max() ?? .zero
    return logs.flatMap { log in
      log.1.directory == reference.1.directory
        ? [] : compare(log, with: reference, committed: committed)
    }
  }

  private static func compare(
    _ log: (label: String, log: LogVerification),
    with reference: (label: String, log: LogVerification), committed: LogIndex
  ) -> [Divergence] {
    if let index = firstDivergence(log.log, reference.log) {
      let segment = log.log.segments.last { $0.id.firstIndex <= index }
      return [
        Divergence(
          reference: reference.label, label: log.label, index: index,
          reason: "another batch stands there (in \(segment.map { log.log.path($0.id) } ?? "–"))",
          isTail: index > committed)
      ]
    }
    // The same history: then sealed files are the same to the last byte.
    var others: [SegmentID: ScannedSegment] = [:]
    for segment in reference.log.segments { others[segment.id] = segment }
    for segment in log.log.segments where segment.footer != nil {
      guard let other = others[segment.id], other.footer != nil,
        let offset = firstDifference(segment.bytes, other.bytes)
      else { continue }
      return [
        Divergence(
          reference: reference.label, label: log.label, index: segment.id.firstIndex,
          reason: "\(log.log.path(segment.id)) differs from offset \(offset) on, though both "
            + "are sealed",
          isTail: false)
      ]
    }
    return []
  }
}

/// The first index where two logs hold different batches; chained, so all later ones differ too.
private func firstDivergence(_ left: LogVerification, _ right: LogVerification) -> LogIndex? {
  var low = max(left.firstIndex, right.firstIndex).rawValue
  var high = min(left.lastIndex, right.lastIndex).rawValue
  guard low <= high, left.hash(LogIndex(high)) != right.hash(LogIndex(high)) else { return nil }
  while low < high {
    let middle = low + (high - low) / 2
    if left.hash(LogIndex(middle)) != right.hash(LogIndex(middle)) {
      high = middle
    } else {
      low = middle + 1
    }
  }
  return LogIndex(low)
}

/// The first offset at which two files differ, their lengths included; nil where they do not.
private func firstDifference(_ left: MappedBytes, _ right: MappedBytes) -> Int? {
  left.withBytes { left in
    right.withBytes { right in
      let common = min(left.byteCount, right.byteCount)
      let pageByteCount = 4096
      var start = 0
      while start < common {
        let range = start..<min(start + pageByteCount, common)
        let isSame = left.extracting(range).withUnsafeBytes { first in
          right.extracting(range).withUnsafeBytes { first.elementsEqual($0) }
        }
        if !isSame {
          return range.first {
            left.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
              != right.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
          }
        }
        start = range.upperBound
      }
      return left.byteCount == right.byteCount ? nil : common
    }
  }
}
