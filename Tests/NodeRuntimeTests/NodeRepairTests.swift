// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import HostFiles
import Raft
import Replica
import SegmentLog
import Testing

@testable import NodeRuntime

/// Damaged nodes heal each other before they take part (FAST '18, "Protocol-aware recovery").
@Suite struct NodeRepairTests {
  private let batches = sampleLog(60, every: 10, seed: 4)

  private func node(_ batches: [Batch], knownDurable: UInt64) throws -> SampleNode {
    let node = try SampleNode(batches)
    var hardState = try HardStateFile(
      PosixFileSystem(), directory: node.directory.path, clusterID: cluster, logIsEmpty: false)
    var state = hardState.state
    state.knownDurable = LogIndex(knownDurable)
    try hardState.write(state)
    return node
  }

  private func damage(_ node: SampleNode, _ index: Int) {
    let first = SegmentID(LogIndex(UInt64((index - 1) / 10 * 10 + 1)))
    let path = node.directory.path + "/log/" + first.fileName
    var bytes = readBytes(path)
    let batch = bytes.firstRange(of: batches[index - 1].bytes)!
    bytes[batch.lowerBound + batch.count / 2] ^= 0x10
    writeBytes(bytes, to: path)
  }

  /// What a node that runs answers.
  private func answer(_ request: BatchesRequest, from log: [Batch]) -> BatchesAnswer {
    let found = log.filter { $0.index >= request.first && $0.index <= request.last }
    return found.isEmpty
      ? BatchesAnswer(first: request.first, problem: .absent)
      : BatchesAnswer(first: request.first, batches: Array(found.prefix(3)))
  }

  private func repair(_ node: SampleNode, id: UInt16 = 1) throws -> NodeRepair<PosixFileSystem> {
    try NodeRepair.begin(
      PosixFileSystem(), directory: node.directory.path, configuration: configuration(),
      peers: [1, 2, 3].filter { $0 != id }.map { NodeID($0) })
  }

  @Test func `damage in the middle is fetched from a peer, and the files are as before`() throws {
    let node = try node(batches, knownDurable: 60)
    let before = (0..<6).map {
      readBytes(node.directory.path + "/log/" + SegmentID(LogIndex(UInt64($0 * 10 + 1))).fileName)
    }
    for index in [3, 4, 17, 35, 58] { damage(node, index) }
    #expect(throws: LogError.self) { _ = try node.recover() }
    var repair = try repair(node)
    #expect(repair.stretches.count == 4)
    repair.setConnected(NodeID(2), true)
    var requests = 0
    for _ in 0..<2000 where repair.state == .underway {
      for sending in repair.tick() {
        guard case .batchesRequest(let request) = sending.message else { continue }
        requests += 1
        _ = try repair.receive(.batches(answer(request, from: batches)), from: sending.to)
      }
    }
    #expect(repair.state == .whole)
    #expect(requests >= 4)
    for number in 0..<6 {
      let name = SegmentID(LogIndex(UInt64(number * 10 + 1))).fileName
      #expect(readBytes(node.directory.path + "/log/" + name) == before[number], "\(name)")
    }
    let recovered = try node.recover()
    let (applied, isTailSuspect) = (recovered.applied, recovered.isTailSuspect)
    #expect(applied == EntryID(index: LogIndex(60), term: batches[59].term))
    #expect(!isTailSuspect)
  }

  @Test func `different damage on every node heals among the damaged alone`() throws {
    let nodes = try (0..<3).map { _ in try node(batches, knownDurable: 60) }
    for (number, node) in nodes.enumerated() {
      for index in stride(from: 2 + 2 * number, to: 58, by: 6) { damage(node, index) }
    }
    var repairs: [Box] = try nodes.enumerated().map { try Box(repair($1, id: UInt16($0 + 1))) }
    for (place, box) in repairs.enumerated() {
      for peer in 1...3 where peer != place + 1 {
        box.repair.setConnected(NodeID(UInt16(peer)), true)
      }
    }
    for _ in 0..<5000 where repairs.contains(where: { $0.repair.state == .underway }) {
      for place in repairs.indices {
        var mail = repairs[place].repair.tick().map { (from: place, $0.message, $0.to) }
        while let (from, message, to) = mail.popLast() {
          let target = Int(to.rawValue) - 1
          let answers = try repairs[target].repair.receive(message, from: NodeID(UInt16(from + 1)))
          mail += answers.map { (from: target, $0.message, $0.to) }
        }
      }
    }
    #expect(repairs.allSatisfy { $0.repair.state == .whole })
    repairs.removeAll()
    for node in nodes { #expect(try applied(node) == LogIndex(60)) }
  }

  @Test func `when no node has a committed batch whole, all stop and say which`() throws {
    let node = try node(batches, knownDurable: 60)
    damage(node, 35)
    var repair = try repair(node)
    for peer: UInt16 in [2, 3] { repair.setConnected(NodeID(peer), true) }
    for _ in 0..<2000 where repair.state == .underway {
      for sending in repair.tick() {
        guard case .batchesRequest(let request) = sending.message else { continue }
        let lost = BatchesAnswer(first: request.first, problem: .lost)
        _ = try repair.receive(.batches(lost), from: sending.to)
      }
    }
    #expect(repair.state == .hopeless(LogIndex(35)))
    #expect(throws: LogError.self) { _ = try node.recover() }
  }

  @Test func `a lost tail makes the node abstain, over restarts, in a term of its own`() throws {
    // The lost batches are of the term that the node knew, or it would hold a later leader's.
    let batches = sampleLog(60, every: 10, seed: 4, terms: false)
    let node = try node(Array(batches.prefix(57)), knownDurable: 60)
    let term = batches[56].term
    #expect(throws: LogError.self) { _ = try node.recover() }
    var repair = try repair(node)
    repair.setConnected(NodeID(3), true)
    for _ in 0..<2000 where repair.state == .underway {
      for sending in repair.tick() {
        guard case .batchesRequest(let request) = sending.message else { continue }
        #expect(request.mustBeCommitted)
        _ = try repair.receive(.batches(answer(request, from: batches)), from: sending.to)
      }
    }
    #expect(repair.state == .whole)
    var recovered = try node.recover()
    let own = recovered.hardState.term
    #expect(own > term)
    let distrusted = recovered.takeReplica().raft.distrusted
    #expect(distrusted != nil)
    var again = try node.recover()
    let still = again.takeReplica().raft.distrusted
    #expect(still == own)
  }

  @Test func `what was never acknowledged goes only when every other node has answered`() throws {
    // A crash kept a later write of the same group: batch 59 is damaged, 60 is whole.
    let node = try node(batches, knownDurable: 50)
    damage(node, 59)
    var repair = try repair(node)
    repair.setConnected(NodeID(2), true)
    for _ in 0..<500 {
      for sending in repair.tick() {
        guard case .batchesRequest(let request) = sending.message else { continue }
        let absent = BatchesAnswer(first: request.first, problem: .absent)
        _ = try repair.receive(.batches(absent), from: sending.to)
      }
    }
    #expect(repair.state == .underway, "node 3 may have it")
    repair.setConnected(NodeID(3), true)
    for _ in 0..<500 where repair.state == .underway {
      for sending in repair.tick() {
        guard case .batchesRequest(let request) = sending.message else { continue }
        let absent = BatchesAnswer(first: request.first, problem: .absent)
        _ = try repair.receive(.batches(absent), from: sending.to)
      }
    }
    #expect(repair.state == .whole)
    #expect(try applied(node) >= LogIndex(50))
  }

  private func applied(_ node: SampleNode) throws -> LogIndex {
    let recovered = try node.recover()
    return recovered.applied.index
  }

  /// Holds a repair in an array.
  private final class Box {
    var repair: NodeRepair<PosixFileSystem>
    init(_ repair: consuming NodeRepair<PosixFileSystem>) { self.repair = repair }
  }
}
