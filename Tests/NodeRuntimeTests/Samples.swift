// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import Glibc
import HostFiles
import HybridTime
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog

let cluster = ClusterID(name: "test")

func configuration(_ cluster: ClusterID = cluster) -> ReplicaConfiguration {
  ReplicaConfiguration(
    cluster: cluster,
    raft: RaftConfiguration(
      id: NodeID(1), initial: Membership(voters: [NodeID(1)]), heartbeatTicks: 5,
      electionTicksMin: 30,
      electionTicksMax: 60, inFlightMessagesMax: 16, entriesPerMessageMax: 64))
}

private func stamp(_ nanoseconds: Int64) -> Stamp {
  Stamp(
    reading: ClockReading(
      rawNanoseconds: nanoseconds, correctionNanoseconds: 7, boundNanoseconds: 1_000, epoch: 3,
      status: .synchronized, reference: .external),
    hybrid: HybridTimestamp(wallNanoseconds: nanoseconds, logical: 2), node: NodeID(1))
}

/// A log of random payments as leaders of several terms would have made it: some batches are empty,
/// every few start a segment, some change the members, each header vouches for the batch before.
func sampleLog(
  _ count: Int, every: Int, seed: UInt64, payments: Int = 20, terms: Bool = true,
  changes: Bool = true, commitLag: UInt64 = 0
) -> [Batch] {
  var generator = SeededGenerator(seed: seed)
  var builder = BatchBuilder()
  var batches: [Batch] = []
  var term: UInt64 = 1
  for index in 1...UInt64(count) {
    if terms, Int.random(in: 0..<7, using: &generator) == 0 { term += 1 }
    let time = Int64(index) * 1_000
    var records = ByteWriter()
    let changesMembers = Int.random(in: 0..<8, using: &generator) == 0 && changes
    if changesMembers { memberChange(index, stamp(time)).encode(into: &records) }
    let isEmpty = changesMembers || Int.random(in: 0..<5, using: &generator) == 0
    let paid = isEmpty ? 0 : Int.random(in: 1...payments, using: &generator)
    for _ in 0..<paid {
      randomPayment(&generator).encode(stamp: stamp(time), into: &records)
    }
    let last = batches.last?.header
    let fields = BatchFields(
      startsSegment: (index - 1).isMultiple(of: UInt64(every)), changesMembers: changesMembers,
      index: LogIndex(index), term: Term(term),
      firstSequence: last.map { EventSequence($0.lastSequence.rawValue + 1) } ?? EventSequence(1),
      count: changesMembers ? 1 : paid, commit: LogIndex(index - 1 - min(index - 1, commitLag)),
      stamp: stamp(time),
      correctedMin: time + 7,
      correctedMax: time + 7,
      hybridMax: HybridTimestamp(wallNanoseconds: time, logical: 2),
      previousHash: last?.hash ?? .zero)
    batches.append(try! builder.build(fields, records: records.bytes))
  }
  return batches
}

private func memberChange(_ number: UInt64, _ stamp: Stamp) -> MembershipChange {
  let members = [NodeID(1), NodeID(2)].map {
    ClusterMember(id: $0, peerAddress: "10.0.0.\($0.rawValue):6001", store: number)
  }
  return MembershipChange(
    stamp: stamp, voters: [NodeID(1)], outgoing: [], learners: [NodeID(2)], members: members)
}

private func randomPayment(_ generator: inout SeededGenerator) -> PaymentDraft {
  let sender = Int.random(in: 0..<30, using: &generator)
  let number = UInt64.random(in: 0..<5_000, using: &generator)
  let id = number.isMultiple(of: 2) ? TransactionID(high: 7, low: number).text : "order-\(number)"
  return try! PaymentDraft(
    validating: PaymentRequest(
      amount: Array("\(number + 1)".utf8), sender: Array("konto \(sender)".utf8),
      receiver: Array("konto \(sender + 1)".utf8), transactionID: Array(id.utf8)),
    rules: PaymentRules(), makeID: { TransactionID(high: 0, low: 0) })
}

/// A new directory that is removed with the last reference.
final class TemporaryDirectory {
  let path: String

  init() {
    var template = Array("/tmp/syncpay-snapshots-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit {
    for inner in ["/log", "/snapshots", ""] {
      for name in (try? PosixFileSystem().list(path + inner)) ?? [] {
        unlink(path + inner + "/" + name)
      }
      rmdir(path + inner)
    }
  }
}

func readBytes(_ path: String) -> [UInt8] {
  let file = try! PosixFileSystem().open(path, .read)
  return try! file.read(at: 0, count: Int(try! file.size()))
}

func writeBytes(_ bytes: [UInt8], to path: String) {
  let files = PosixFileSystem()
  try? files.remove(path)
  let file = try! files.open(path, .create)
  try! file.write(bytes.span.bytes, at: 0)
}

/// A node's data directory with a log in it.
struct SampleNode {
  let directory = TemporaryDirectory()
  let batches: [Batch]

  /// Writes the log, and seals every segment but the last with its ledger's digests.
  init(_ batches: [Batch], sealing: Bool = true) throws {
    self.batches = batches
    let files = PosixFileSystem()
    var hardState = try HardStateFile(
      files, directory: directory.path, clusterID: cluster, logIsEmpty: true)
    try hardState.write(SegmentLog.HardState(term: batches.last?.term ?? .zero))
    var store = try SegmentStore.open(
      files, directory: directory.path + "/log", clusterID: cluster,
      recovery: RecoveryOptions(keys: .payments), visiting: { _ in })
    try store.append(batches)
    try store.sync()
    if sealing {
      for seal in try recovered(batches).seals {
        try store.seal(segment: seal.segment, seal.evidence)
      }
    }
  }

  var snapshots: SnapshotDirectory<PosixFileSystem> {
    SnapshotDirectory(PosixFileSystem(), dataDirectory: directory.path, clusterID: cluster)
  }

  func path(_ id: SnapshotID) -> String { directory.path + "/snapshots/" + id.fileName }

  /// Writes the snapshot after batch `count`, without the builder.
  @discardableResult
  func snapshot(_ count: Int) throws -> WrittenSnapshot? {
    try snapshots.write(recovered(Array(batches.prefix(count))))
  }

  func builder() throws -> SnapshotBuilder<PosixFileSystem> {
    let node = try recover()
    let reader = LogReader(
      PosixFileSystem(), directory: node.logDirectory, positions: node.positions)
    return SnapshotBuilder(snapshots, reader: reader, configuration: configuration())
  }

  func recover() throws(LogError) -> NodeRecovery<PosixFileSystem> {
    try NodeRecovery(
      PosixFileSystem(), directory: directory.path, configuration: configuration(), ledgerSeed: 5,
      seed: 1)
  }
}

/// The recovery that all of these batches give.
func recovered(_ batches: [Batch], seed: UInt64 = 5) throws -> ReplicaRecovery {
  var recovery = ReplicaRecovery(
    configuration: configuration(), knownCommitted: batches.last?.index ?? .zero,
    ledger: LedgerState(seed: seed))
  for batch in batches { try recovery.restore(batch) }
  return recovery
}

extension ReplicaRecovery {
  /// Everything that a snapshot of it holds.
  borrowing func image() -> [[UInt8]] {
    var writer = ByteWriter()
    point?.encode(into: &writer)
    var image = [writer.bytes]
    writeLedger { piece in image.append(piece.withUnsafeBytes { [UInt8]($0) }) }
    return image
  }
}
