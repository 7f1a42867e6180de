import Bytes
import Evidence
import HostFiles
import Logging
import NIOPosix
import NodeRuntime
import Raft
import SegmentLog
import Synchronization

/// Why evidence cannot be given.
enum EvidenceRefusal: Error {
  /// No checkpoint that a majority signed has come as far yet.
  case unsigned
  /// The log cannot be read.
  case unreadable(LogError)
  /// The node is stopping.
  case stopping
}

/// Keeps what the nodes have signed, and proves events by it.
///
/// Files are written and proofs are made on a thread of its own, one at a time.
final class EvidenceDesk: Sendable {
  /// How long a receipt waits for its checkpoint, milliseconds: nodes sign about once a second.
  private static let waitMilliseconds = 5000
  private static let waitStepMilliseconds = 25

  private struct State {
    var keys: [NodeID: NodeKeys]
    var newest: (checkpoint: LogCheckpoint, note: SignedNote)?
  }

  private let directory: EvidenceDirectory<PosixFileSystem>
  private let prover: EventProver<PosixFileSystem>
  private let pool: NIOThreadPool
  private let logger: Logger
  private let state: Mutex<State>
  /// This node's key.
  let signer: NodeSigner
  private let met: @Sendable (LogError) -> Void

  /// A desk over a thread pool of one thread, which must be started. Makes the node's key if it has none.
  init(
    _ directory: EvidenceDirectory<PosixFileSystem>, node: NodeID,
    reader: LogReader<PosixFileSystem>, pool: NIOThreadPool, logger: Logger,
    met: @escaping @Sendable (LogError) -> Void
  ) throws(EvidenceProblem) {
    self.directory = directory
    prover = EventProver(reader)
    self.pool = pool
    self.logger = logger
    self.met = met
    var random = SystemRandomNumberGenerator()
    signer = try directory.signer(
      newSeed: (0..<NoteSigner.seedByteCount).map { _ in random.next() })
    var keys = try directory.keys()
    keys[node] = signer.keys
    let note = directory.newest()
    let newest = note.flatMap { note in (try? LogCheckpoint(note)).map { ($0, note) } }
    state = Mutex(State(keys: keys, newest: newest))
  }

  /// Every node's keys that are known here, from any thread.
  var keys: [NodeID: NodeKeys] { state.withLock { $0.keys } }

  /// The newest checkpoint that a majority has signed, from any thread.
  var newest: (checkpoint: LogCheckpoint, note: SignedNote)? { state.withLock { $0.newest } }

  /// A majority has signed a checkpoint.
  func signed(_ signed: CosignedCheckpoint) {
    let isNewest = state.withLock { state -> Bool in
      if let newest = state.newest, newest.checkpoint.index > signed.checkpoint.index {
        return false
      }
      state.newest = (signed.checkpoint, signed.note)
      return true
    }
    guard isNewest || signed.endsSegment else { return }
    write { [directory] () throws(EvidenceProblem) in
      try directory.write(signed, asNewest: isNewest)
    }
  }

  /// A node signs with these keys.
  func learned(_ keys: NodeKeys, of node: NodeID) {
    let all = state.withLock { state in
      state.keys[node] = keys
      return state.keys
    }
    write { [directory] () throws(EvidenceProblem) in try directory.write(all) }
  }

  /// Missing evidence stops no payments: it is told, and the next one is written again.
  private func write(_ body: @escaping @Sendable () throws(EvidenceProblem) -> Void) {
    pool.submit { [logger] state in
      guard case .active = state else { return }
      do throws(EvidenceProblem) { try body() } catch {
        logger.warning("evidence could not be written", metadata: ["reason": "\(error)"])
      }
    }
  }

  /// The proof that an event is in the log, under the newest checkpoint: waits until there is one that
  /// tells of it.
  func receipt(_ sequence: EventSequence) async throws(EvidenceRefusal) -> ProofFile {
    for step in 0...Self.waitMilliseconds / Self.waitStepMilliseconds {
      if step > 0 {
        do { try await Task.sleep(for: .milliseconds(Self.waitStepMilliseconds)) } catch {
          throw .stopping
        }
      }
      guard let newest, newest.checkpoint.lastSequence >= sequence else { continue }
      let size = newest.checkpoint.lastSequence.rawValue
      let proof = try await proving { prover throws(LogError) in
        try prover.inclusion(of: sequence, size: size)
      }
      return ProofFile(
        extra: proof.record, index: sequence.rawValue - 1, path: proof.path,
        checkpoint: newest.note)
    }
    throw .unsigned
  }

  /// The proof that a log of `oldSize` events is a prefix of that of `size`.
  ///
  /// Precondition: `oldSize` is not greater than `size`, and `size` events are signed.
  func consistency(
    from oldSize: UInt64, to size: UInt64
  ) async throws(EvidenceRefusal) -> [Digest256] {
    try await proving { prover throws(LogError) in
      try prover.consistency(from: oldSize, to: size)
    }
  }

  private func proving<Proof: Sendable>(
    _ body: @escaping @Sendable (EventProver<PosixFileSystem>) throws(LogError) -> Proof
  ) async throws(EvidenceRefusal) -> Proof {
    let result: Result<Proof, LogError>
    do {
      result = try await pool.runIfActive { [prover] () -> Result<Proof, LogError> in
        do throws(LogError) { return .success(try body(prover)) } catch { return .failure(error) }
      }
    } catch {
      throw .stopping
    }
    switch result {
    case .success(let proof): return proof
    case .failure(let error):
      met(error)
      throw .unreadable(error)
    }
  }
}
