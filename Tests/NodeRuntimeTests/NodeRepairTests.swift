// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import HostFiles
import Ledger
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
    damage(node, index, of: batches, every: 10)
  }

  private func damage(_ node: SampleNode, _ index: Int, of batches: [Batch], every: Int) {
    let first = SegmentID(LogIndex(UInt64((index - 1) / every * every + 1)))
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

  /// Whoever is connected has none of what is asked for, for 500 ticks.
  private func answerAbsent(_ repair: inout NodeRepair<PosixFileSystem>) throws {
    for _ in 0..<500 where repair.state == .underway {
      for sending in repair.tick() {
        guard case .batchesRequest(let request) = sending.message else { continue }
        let absent = BatchesAnswer(first: request.first, problem: .absent)
        _ = try repair.receive(.batches(absent), from: sending.to)
      }
    }
  }

  private func repair(_ node: SampleNode, id: UInt16 = 1) throws -> NodeRepair<PosixFileSystem> {
    let ids = (1...3).map { NodeID($0) }
    let own = ReplicaConfiguration(
      cluster: cluster,
      raft: RaftConfiguration(
        id: NodeID(id), initial: Membership(voters: ids), heartbeatTicks: 5, electionTicksMin: 30,
        electionTicksMax: 60, inFlightMessagesMax: 16, entriesPerMessageMax: 64))
    return try NodeRepair.begin(
      PosixFileSystem(), directory: node.directory.path, configuration: own)
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

  @Test func `what all lack for now is asked for again, for a node may have mended it`() throws {
    let node = try node(batches, knownDurable: 60)
    damage(node, 35)
    var repair = try repair(node)
    for peer: UInt16 in [2, 3] { repair.setConnected(NodeID(peer), true) }
    for tick in 0..<2000 where repair.state == .underway {
      for sending in repair.tick() {
        guard case .batchesRequest(let request) = sending.message else { continue }
        let isMended = tick > 250 && sending.to == NodeID(3)
        _ = try repair.receive(
          .batches(
            isMended
              ? answer(request, from: batches)
              : BatchesAnswer(first: request.first, problem: .lost)), from: sending.to)
      }
    }
    #expect(repair.state == .whole)
    _ = try node.recover()
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

  /// Runs a repair in which node 2 and node 3 answer as told.
  private func run(
    _ repair: inout NodeRepair<PosixFileSystem>, ticks: Int = 2000,
    _ answer: (BatchesRequest, UInt16) -> BatchesAnswer?
  ) throws {
    for peer: UInt16 in [2, 3] { repair.setConnected(NodeID(peer), true) }
    for _ in 0..<ticks where repair.state == .underway {
      for sending in repair.tick() {
        guard case .batchesRequest(let request) = sending.message,
          let found = answer(request, sending.to.rawValue)
        else { continue }
        _ = try repair.receive(.batches(found), from: sending.to)
      }
    }
  }

  @Test func `what a whole batch here says to be committed is never cut`() throws {
    let node = try node(batches, knownDurable: 10)
    damage(node, 55)
    var repair = try repair(node)
    try run(&repair) { request, _ in BatchesAnswer(first: request.first, problem: .absent) }
    #expect(repair.state == .hopeless(LogIndex(55)))
  }

  @Test func `a peer's batch of a history that was given up drops nothing`() throws {
    let node = try node(batches, knownDurable: 30)
    let before = readBytes(node.directory.path + "/log/" + SegmentID(LogIndex(51)).fileName)
    damage(node, 55)
    let other = sampleLog(60, every: 10, seed: 5)
    var repair = try repair(node)
    // Node 2 has another batch 55, and none that is committed; node 3 has the right one.
    try run(&repair) { request, peer in
      if peer == 3 { return self.answer(request, from: batches) }
      return request.mustBeCommitted ? nil : self.answer(request, from: other)
    }
    #expect(repair.state == .whole)
    #expect(
      readBytes(node.directory.path + "/log/" + SegmentID(LogIndex(51)).fileName) == before)
  }

  @Test func `a peer that never answers holds up nobody`() throws {
    let node = try node(batches, knownDurable: 60)
    damage(node, 35)
    var repair = try repair(node)
    try run(&repair) { request, peer in peer == 2 ? nil : self.answer(request, from: batches) }
    #expect(repair.state == .whole)
  }

  @Test func `members that only the log knows are asked too`() throws {
    let node = try node(batches, knownDurable: 60)
    damage(node, 35)
    // By its configuration the node is alone.
    let repair = try NodeRepair.begin(
      PosixFileSystem(), directory: node.directory.path, configuration: configuration())
    #expect(repair.state == .underway)
    #expect(repair.members.map(\.id).contains(NodeID(2)))
  }

  @Test func `nodes that left long ago are not waited for`() throws {
    // Node 3 is in the configuration file alone; the log's members are 1 and 2.
    let batches = sampleLog(60, every: 20, seed: 4, commitLag: 9)
    #expect(batches.contains { $0.header.changesMembers })
    let node = try node(batches, knownDurable: 50)
    damage(node, 58, of: batches, every: 20)
    var repair = try repair(node)
    repair.setConnected(NodeID(2), true)
    try answerAbsent(&repair)
    #expect(repair.state == .whole)
  }

  @Test func `a torn end is kept as far as others have it, and goes from there on`() throws {
    let batches = sampleLog(60, every: 20, seed: 4, commitLag: 12)
    let node = try node(batches, knownDurable: 48)
    for index in [55, 56, 57] { damage(node, index, of: batches, every: 20) }
    var repair = try repair(node)
    try run(&repair) { request, _ in
      request.first <= LogIndex(55)
        ? BatchesAnswer(first: request.first, batches: [batches[54]])
        : BatchesAnswer(first: request.first, problem: .absent)
    }
    #expect(repair.state == .whole)
    #expect(try last(node) == LogIndex(55))
  }

  @Test func `what was never acknowledged goes only when every other node has answered`() throws {
    // A crash kept a later write of the same group: batch 58 is damaged, 60 is whole, and nothing
    // here says that more than 50 was ever committed.
    let batches = sampleLog(60, every: 20, seed: 4, changes: false, commitLag: 9)
    let node = try node(batches, knownDurable: 50)
    damage(node, 58, of: batches, every: 20)
    var repair = try repair(node)
    repair.setConnected(NodeID(2), true)
    try answerAbsent(&repair)
    #expect(repair.state == .underway, "node 3 may have it")
    repair.setConnected(NodeID(3), true)
    try answerAbsent(&repair)
    #expect(repair.state == .whole)
    #expect(try applied(node) >= LogIndex(50))
    #expect(try last(node) == LogIndex(57))
  }

  private func last(_ node: SampleNode) throws -> LogIndex? {
    let recovered = try node.recover()
    return recovered.positions.last?.index
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
