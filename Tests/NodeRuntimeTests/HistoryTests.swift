import Bytes
import HostFiles
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog
import Testing

/// Old transactions, found in the segments of a real log.
@Suite struct HistoryTests {
  /// The first event with each id.
  private func firsts(_ batches: [Batch]) throws -> [TransactionID: EventSequence] {
    var firsts: [TransactionID: EventSequence] = [:]
    for batch in batches {
      let records = batch.records
      var cursor = RecordCursor(records.span.bytes)
      var sequence = batch.header.firstSequence
      while let record = try cursor.next(in: records.span.bytes) {
        if record.kind == .payment {
          let payment = try PaymentView(record.body, in: records.span.bytes)
          let id = payment.id(in: records.span.bytes)
          if firsts[id] == nil { firsts[id] = sequence }
        }
        sequence = sequence.next
      }
    }
    return firsts
  }

  @Test func `the first payment with each id is found, as far as segments are sealed`() throws {
    let node = try SampleNode(sampleLog(400, every: 25, seed: 61))
    let recovery = try node.recover()
    let history = SegmentHistory(
      LogReader(
        PosixFileSystem(), directory: recovery.logDirectory, positions: recovery.positions))
    let last = history.searchableThrough
    #expect(last == node.batches[374].header.lastSequence)
    for (id, sequence) in try firsts(node.batches) {
      let found = try history.find(id, through: last)
      #expect(found?.sequence == (sequence <= last ? sequence : nil), "\(id.text)")
      if sequence <= last, sequence.rawValue > 1 {
        let before = EventSequence(sequence.rawValue - 1)
        #expect(try history.find(id, through: before) == nil, "\(id.text)")
      }
    }
    #expect(try history.find(TransactionID(high: 8, low: 8), through: last) == nil)
    #expect(throws: PastProblem.self) {
      try history.find(TransactionID(high: 8, low: 8), through: EventSequence(last.rawValue + 1))
    }
  }

  @Test func `a damaged index is a problem that names its segment`() throws {
    let node = try SampleNode(sampleLog(100, every: 25, seed: 62))
    let recovery = try node.recover()
    let path = recovery.logDirectory + "/" + SegmentID(LogIndex(26)).fileName
    var bytes = readBytes(path)
    // The body of the index by account name, which ends before check and trailer: not what is asked.
    let end = bytes.count - 40
    bytes[end - 9] ^= 1
    writeBytes(bytes, to: path)
    func problem() -> PastProblem? {
      let history = SegmentHistory(
        LogReader(
          PosixFileSystem(), directory: recovery.logDirectory, positions: recovery.positions))
      do throws(PastProblem) {
        _ = try history.find(TransactionID(high: 8, low: 8), through: history.searchableThrough)
        return nil
      } catch {
        return error
      }
    }
    #expect(problem() == nil)
    var position = end
    while problem() == nil, position > 40 {
      position -= 8
      var changed = bytes
      changed[position] ^= 1
      writeBytes(changed, to: path)
    }
    #expect(problem()?.segment == LogIndex(26))
  }

  @Test(arguments: [1, 30, 1000])
  func `a node that holds few transactions comes to the same ledger, with and without a snapshot`(
    heldCount: Int
  ) throws {
    let batches = sampleLog(300, every: 10, seed: 63)
    let node = try SampleNode(batches)
    let whole = try recovered(batches).ledgerDigest
    for _ in 0..<2 {
      var configuration = configuration()
      configuration.heldTransactionsMax = heldCount
      var recovery = try NodeRecovery(
        PosixFileSystem(), directory: node.directory.path, configuration: configuration,
        ledgerSeed: 5, seed: 1)
      var replica = recovery.takeReplica()
      let (digest, held, aged) = replica.withLedger {
        ($0.digest, $0.heldTransactionCount, $0.agedTransactionCount)
      }
      let expected = try recovered(Array(batches.prefix(Int(recovery.applied.index.rawValue))))
      let isSame = digest == expected.ledgerDigest
      #expect(isSame)
      #expect(heldCount > 30 || (held < 600 && aged > 800))
      // The second time, it begins from this.
      let reader = LogReader(
        PosixFileSystem(), directory: recovery.logDirectory, positions: recovery.positions)
      let builder = SnapshotBuilder(node.snapshots, reader: reader, configuration: configuration)
      let point = batches[149].index
      let atPoint = try recovered(Array(batches.prefix(150)))
      _ = try builder.build(
        SnapshotOrder(through: point, ledgerDigest: atPoint.ledgerDigest), seed: 11)
    }
    #expect(node.snapshots.ids().count == 1 && whole != .zero)
  }
}
