import Audit
import Bytes
import Evidence
import HostFiles
import SegmentLog
import Testing

/// A node's two keys, as the node itself makes them of its seed.
struct NodeTestKeys {
  let log: NoteSigner
  let witness: NoteSigner

  init(_ node: UInt16) throws {
    let seed = [UInt8](repeating: UInt8(node), count: NoteSigner.seedByteCount)
    log = try #require(
      NoteSigner(name: LogCheckpoint.origin(of: SignedCluster.id), kind: .note, seed: seed))
    witness = try #require(
      NoteSigner(
        name: LogCheckpoint.witnessName(of: node, in: SignedCluster.id), kind: .cosignature,
        seed: seed))
  }
}

/// A cluster's logs on disk, its keys, and proofs from its segments.
struct SignedCluster {
  static let id = ClusterID(name: "test")
  var clusterID: ClusterID { Self.id }
  var cluster = TestCluster(clocks: TestCluster.plainClocks)
  let keys: [NodeTestKeys]
  let prover: EventProver<PosixFileSystem>
  let policy: TrustPolicy

  init(batches: Int = 40, events: Int = 30) throws {
    keys = try [1, 2, 3].map { try NodeTestKeys($0) }
    try cluster.build(batchCount: batches, eventsPerBatch: events)
    try cluster.writeAll()
    let log = "\(cluster.data(1))/log"
    let store = try SegmentStore.open(
      PosixFileSystem(), directory: log, clusterID: SignedCluster.id, visiting: { _ in })
    prover = EventProver(
      LogReader(PosixFileSystem(), directory: log, positions: store.positions))
    policy = TrustPolicy(
      logs: keys.map(\.log.key),
      witnesses: keys.enumerated().map { ("node\($0.offset + 1)", $0.element.witness.key) },
      threshold: 2)
    try write(policy.description, "policy.txt")
  }

  func checkpoint(at index: Int) throws -> LogCheckpoint {
    let batch = cluster.batches[index - 1].header
    return LogCheckpoint(
      cluster: SignedCluster.id, index: batch.index, hash: batch.hash,
      lastSequence: batch.lastSequence,
      root: try prover.root(size: batch.lastSequence.rawValue),
      ledgerDigest: cluster.digests[index - 1])
  }

  func note(_ checkpoint: LogCheckpoint, by nodes: [Int] = [1, 2, 3]) throws -> SignedNote {
    var note = SignedNote(text: checkpoint.text)
    for node in nodes {
      note.add(try keys[node - 1].log.sign(note.text))
      note.add(try keys[node - 1].witness.sign(note.text, time: 1_795_000_000))
    }
    return note
  }

  @discardableResult
  func write(_ text: String, _ name: String) throws -> String {
    let path = "\(cluster.directory.path)/\(name)"
    let slash = try #require(path.lastIndex(of: "/"))
    try PosixFileSystem().createDirectory(String(path[..<slash]))
    let file = try PosixFileSystem().open(path, .create)
    try file.write(Array(text.utf8).span.bytes, at: 0)
    return path
  }

  func options(_ paths: [String] = [], since: String? = nil) -> VerifyOptions {
    var options = VerifyOptions()
    options.policyPath = "\(cluster.directory.path)/policy.txt"
    options.checkpointPaths = paths
    options.sincePath = since
    options.workers = HostThread.concurrently
    return options
  }

  func verify(_ options: VerifyOptions, _ nodes: [Int] = [1]) throws -> VerifyReport {
    try VerifyReport(
      nodes.map { cluster.data($0) }, options, in: PosixFileSystem(), meter: ProgressMeter())
  }

  func receipt(_ sequence: UInt64, at index: Int, by nodes: [Int] = [1, 2, 3]) throws -> ProofFile {
    let checkpoint = try checkpoint(at: index)
    let proof = try prover.inclusion(
      of: EventSequence(sequence), size: checkpoint.lastSequence.rawValue)
    return ProofFile(
      extra: proof.record, index: sequence - 1, path: proof.path,
      checkpoint: try note(checkpoint, by: nodes))
  }
}
