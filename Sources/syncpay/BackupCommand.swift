import ArgumentParser
import Audit
import Bytes
import Evidence
import HostFiles
import SegmentLog

/// `syncpay backup`.
struct BackupCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup",
    abstract: "Copy a running node's log, up to what a majority has signed.",
    discussion: """
      Takes a signed checkpoint that tells of everything acknowledged before, copies the segments up to it over HTTP, cuts what lies \
      after it, verifies every byte and hash, replays the ledger to the checkpoint's, and only then \
      gives the directory its name. Until then it is DIRECTORY.partial, and no backup: 'syncpay \
      restore' refuses it. A run that was interrupted goes on where it was.

      The backup has log/ with its segments, checkpoint, trust-policy (the nodes' keys, as this node \
      gives them; --policy: yours), and SHA256SUMS, which sha256sum -c checks. All syncpay-audit \
      commands read it.

      Exit codes: 0 the backup is complete; 1 it is not what was signed, or cannot be written; 2 the \
      node could not be reached; 64 the command line is wrong.

      Example: syncpay backup backups/monday --node http://127.0.0.1:5001
      """)

  @OptionGroup var nodes: NodeOptions

  @Argument(
    help: ArgumentHelp("The backup's directory; must not be there yet.", valueName: "directory"))
  var path: String

  @Option(help: ArgumentHelp("Whose signatures count (C2SP tlog-policy).", valueName: "file"))
  var policy: String?

  func perform() async throws {
    HostMemory.keepFreed()
    let nodes = try nodes.addresses()
    let copied = try await NodeClient.with { client in
      var reasons: [String] = []
      for node in nodes {
        do throws(SourceLost) {
          return try await LogCopy(client, node, timeout: self.nodes.timeoutDuration)
            .make(path, policyPath: policy)
        } catch {
          guard case .unreachable(let reason) = error else { throw error.failure }
          reasons.append("\(node.name): \(reason)")
        }
      }
      throw CommandFailure(.unreachable, "no node gave its log: " + reasons.joined(separator: "; "))
    }
    Terminal.line(
      "\(path): \(copied.segmentCount) segments, \(copied.byteCount) bytes, "
        + "\(copied.checkpoint.lastSequence.rawValue) events up to batch "
        + "\(copied.checkpoint.index.rawValue); verified up to its signed checkpoint.")
  }
}

/// Why a log could not be copied from a node.
enum SourceLost: Error {
  /// Another node may have it.
  case unreachable(String)
  /// No node could help.
  case final(CommandFailure)

  var failure: CommandFailure {
    switch self {
    case .unreachable(let reason): CommandFailure(.unreachable, reason)
    case .final(let failure): failure
    }
  }
}

/// What a backup holds.
struct CopiedLog {
  let checkpoint: LogCheckpoint
  let segmentCount: Int
  let byteCount: UInt64
}

/// Copies one node's log into a backup.
struct LogCopy {
  private let client: NodeClient
  private let node: NodeAddress
  private let timeout: Duration

  /// A segment as `GET /v1/log` lists it.
  private struct Listed {
    let id: SegmentID
    let byteCount: UInt64
    let isSealed: Bool
  }

  init(_ client: NodeClient, _ node: NodeAddress, timeout: Duration) {
    self.client = client
    self.node = node
    self.timeout = timeout
  }

  /// Makes the backup at `path`.
  func make(_ path: String, policyPath: String?) async throws(SourceLost) -> CopiedLog {
    let (note, checkpoint) = try await newest()
    let policy = try await policy(policyPath)
    let segments = try await listed().filter { $0.id.firstIndex <= checkpoint.index }
    let total = segments.reduce(0) { $0 + $1.byteCount }
    do {
      let backup = try BackupDirectory(making: path, in: PosixFileSystem())
      var done: UInt64 = 0
      for segment in segments {
        try await copy(segment, to: backup, before: done, of: total)
        done += segment.byteCount
      }
      try backup.finish(
        note, policy: policy, workers: HostThread.concurrently,
        meter: ProgressMeter { Terminal.progress("verified \($0) of \(total) bytes") })
    } catch let lost as SourceLost {
      throw lost
    } catch let problem as BackupProblem {
      throw .final(CommandFailure(.refused, problem.sentence))
    } catch {
      throw .unreachable("\(error)")
    }
    return CopiedLog(checkpoint: checkpoint, segmentCount: segments.count, byteCount: total)
  }

  /// A checkpoint that tells of all that was acknowledged before this call: nodes sign about once a
  /// second.
  private func newest() async throws(SourceLost) -> (SignedNote, LogCheckpoint) {
    let status = try await get("/status?consistency=linearizable")
    guard let last = status.body?["last_sequence"]?.text.flatMap({ UInt64($0) }) else {
      throw .unreachable("its status cannot be read")
    }
    let clock = ContinuousClock()
    let end = clock.now + timeout
    while clock.now < end {
      let answer = try await get("/v1/checkpoint")
      guard let note = try? SignedNote(parsing: answer.text),
        let checkpoint = try? LogCheckpoint(note)
      else { throw .unreachable("its checkpoint is none") }
      if checkpoint.lastSequence.rawValue >= last { return (note, checkpoint) }
      do { try await clock.sleep(for: .milliseconds(50)) } catch { break }
    }
    throw .unreachable("no majority signed its log within the timeout")
  }

  private func policy(_ path: String?) async throws(SourceLost) -> String {
    guard let path else { return try await get("/v1/trust-policy").text }
    do throws(AuditError) {
      return try SignedCheckpoints.policy(path, in: PosixFileSystem()).description
    } catch {
      throw .final(CommandFailure(.usage, error.description))
    }
  }

  private func listed() async throws(SourceLost) -> [Listed] {
    let entries = try await get("/v1/log").body?["segments"]?.elements ?? []
    let segments = entries.compactMap { entry -> Listed? in
      guard let name = entry["name"]?.text, let id = SegmentID(fileName: name),
        let bytes = entry["bytes"]?.text.flatMap({ UInt64($0) }), let sealed = entry["sealed"]?.bool
      else { return nil }
      return Listed(id: id, byteCount: bytes, isSealed: sealed)
    }
    guard segments.count == entries.count, !segments.isEmpty else {
      throw .unreachable("its list of segments cannot be read")
    }
    return segments
  }

  /// Copies a segment; of a sealed one only what an interrupted run has not.
  private func copy(
    _ segment: Listed, to backup: BackupDirectory<PosixFileSystem>, before: UInt64, of total: UInt64
  ) async throws {
    var offset = segment.isSealed ? backup.byteCount(of: segment.id) : 0
    if offset == 0 || offset > segment.byteCount {
      backup.remove(segment.id)
      offset = 0
    }
    while offset < segment.byteCount {
      let piece = try await get("/v1/log/\(segment.id.fileName)?offset=\(offset)").bytes
      let room = segment.byteCount - offset
      guard !piece.isEmpty else { throw SourceLost.unreachable("its log has become shorter") }
      try backup.write(
        Array(piece.prefix(Int(clamping: room))), to: segment.id, at: offset)
      offset += UInt64(piece.count)
      Terminal.progress("copied \(before + offset) of \(total) bytes from \(node.name)")
    }
  }

  private func get(_ path: String) async throws(SourceLost) -> Answer {
    let answer: Answer
    do throws(NoAnswer) {
      answer = try await client.send(.get(path), to: node, within: timeout)
    } catch {
      throw .unreachable(error.reason)
    }
    guard answer.isSuccess else { throw .unreachable(answer.sentence) }
    return answer
  }
}
