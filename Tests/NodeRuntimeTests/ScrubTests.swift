// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import Glibc
import HostFiles
import Raft
import Replica
import SegmentLog
import Testing

@testable import NodeRuntime

/// A running node's scrub, without the server around it: real files, virtual time.
private final class ScrubbedNode {
  let id: NodeID
  let node: SampleNode
  let files: [[UInt8]]
  private let reader: LogReader<PosixFileSystem>
  private let worker: StorageWorker<PosixFileSystem>
  private var scrubber: SegmentScrubber<PosixFileSystem>
  var plan: ScrubPlan
  var notes: [String] = []
  var asked = 0

  init(
    _ id: UInt16, _ batches: [Batch], bytesPerSecond: UInt64 = 1 << 40, position: UInt64 = 0
  ) throws {
    self.id = NodeID(id)
    node = try SampleNode(batches)
    var recovery = try node.recover()
    reader = LogReader(
      PosixFileSystem(), directory: recovery.logDirectory, positions: recovery.positions)
    scrubber = SegmentScrubber(PosixFileSystem(), logDirectory: recovery.logDirectory)
    worker = recovery.takeWorker()
    plan = ScrubPlan(
      bytesPerSecond: bytesPerSecond, pauseNanoseconds: 1_000_000_000,
      position: LogIndex(position), at: 0)
    files = (0..<6).map { [node] in readBytes(Self.path(node, $0)) }
  }

  static func path(_ node: SampleNode, _ segment: Int) -> String {
    node.directory.path + "/log/" + SegmentID(LogIndex(UInt64(segment * 10 + 1))).fileName
  }

  func damage(_ index: Int) {
    let path = Self.path(node, (index - 1) / 10)
    var bytes = readBytes(path)
    let batch = bytes.firstRange(of: node.batches[index - 1].bytes)!
    bytes[batch.lowerBound + batch.count / 2] ^= 0x10
    writeBytes(bytes, to: path)
  }

  var isWhole: Bool { (0..<6).allSatisfy { readBytes(Self.path(node, $0)) == files[$0] } }

  /// What a server does with an order; the answers of other nodes come through `ask`.
  func carryOut(
    _ order: ScrubPlan.Order?, at now: Int64, ask: (BatchesRequest, NodeID) -> BatchesAnswer?
  ) throws {
    var order = order
    while let next = order {
      order = nil
      switch next {
      case .check(let target):
        guard let segment = worker.sealedSegment(target) else {
          plan.checked(nil, at: now)
          break
        }
        do throws(LogError) { plan.checked(try scrubber.check(segment), at: now) } catch {
          plan.failed(error, in: segment, at: now)
        }
      case .mend(let batches): plan.mended(try scrubber.mend(batches), at: now)
      case .ask(let request, let peer):
        asked += 1
        if let answer = ask(request, peer) { order = plan.received(answer, from: peer, at: now) }
      }
    }
    notes += plan.takeNotes().map { note in
      switch note {
      case .damaged(let stretch): "damaged \(stretch.missing?.lowerBound.rawValue ?? 0)"
      case .mended(let id): "mended \(id.firstIndex.rawValue)"
      case .noCopy(let index, _): "no copy \(index.rawValue)"
      case .failed: "failed"
      }
    }
  }

  /// What a running node gives.
  func answer(_ request: BatchesRequest) -> BatchesAnswer {
    let range = LogIndexRange(first: request.first, last: request.last)
    return reader.answer(range) { error in
      if let segment = error.damagedSegment { plan.suspect(segment) }
    }
  }
}

@Suite struct ScrubTests {
  private static let second: Int64 = 1_000_000_000

  private func run(_ nodes: [ScrubbedNode], seconds: ClosedRange<Int64>) throws {
    for step in seconds.lowerBound * 10...seconds.upperBound * 10 {
      let now = step * Self.second / 10
      for node in nodes {
        try node.carryOut(node.plan.tick(at: now), at: now) { request, peer in
          nodes.first { $0.id == peer }?.answer(request)
        }
      }
    }
  }

  private func connect(_ nodes: [ScrubbedNode]) {
    for one in nodes {
      for other in nodes where other.id != one.id { one.plan.setConnected(other.id, true) }
    }
  }

  @Test func `different damage on all nodes heals while they run`() throws {
    let batches = sampleLog(60, every: 10, seed: 21)
    let nodes = try (1...3).map { try ScrubbedNode($0, batches, position: UInt64($0) * 12) }
    connect(nodes)
    for index in [1, 12, 13, 14, 30] { nodes[0].damage(index) }
    for index in [2, 11, 15, 31] { nodes[1].damage(index) }
    for index in [10, 40, 49] { nodes[2].damage(index) }
    try run(nodes, seconds: 0...60)
    for node in nodes {
      #expect(node.isWhole, "\(node.notes)")
      #expect(node.plan.damaged.isEmpty && node.plan.passCount > 1)
    }
    #expect(nodes[0].plan.mendedCount == 3 && nodes[1].plan.mendedCount == 3)
    #expect(nodes[2].plan.mendedCount == 3)
  }

  @Test func `a whole log is read at the rate that was set, and asks for nothing`() throws {
    let batches = sampleLog(60, every: 10, seed: 22)
    let sizes = try ScrubbedNode(1, batches).files.dropLast().map(\.count)
    // A segment takes some ten seconds.
    let node = try ScrubbedNode(1, batches, bytesPerSecond: UInt64(sizes.max()! / 10))
    node.plan.setConnected(NodeID(2), true)
    try run([node], seconds: 0...9)
    #expect(node.plan.checkedCount <= 3)
    try run([node], seconds: 10...60)
    #expect(node.plan.checkedCount >= 5 && node.plan.passCount >= 1)
    #expect(node.asked == 0 && node.notes.isEmpty)
  }

  @Test func `with the rate at nothing only what a reader has met is looked at`() throws {
    let batches = sampleLog(60, every: 10, seed: 23)
    let nodes = try (1...2).map { try ScrubbedNode($0, batches, bytesPerSecond: 0) }
    connect(nodes)
    nodes[0].damage(15)
    nodes[0].damage(25)
    try run(nodes, seconds: 0...5)
    #expect(nodes[0].plan.checkedCount == 0)
    let all = BatchesRequest(first: LogIndex(11), last: LogIndex(30), mustBeCommitted: false)
    // What is asked for first is whole: it is given alone, and the rest is looked at.
    let answer = nodes[0].answer(all)
    #expect(answer.batches.map(\.index.rawValue) == [11])
    let lost = nodes[0].answer(
      BatchesRequest(first: LogIndex(15), last: LogIndex(15), mustBeCommitted: false))
    #expect(lost.problem == .lost)
    try run(nodes, seconds: 6...10)
    #expect(nodes[0].notes == ["damaged 15", "mended 11"])
    #expect(nodes[0].answer(all).batches.count == 1)
    try run(nodes, seconds: 11...15)
    #expect(nodes[0].notes.suffix(2) == ["damaged 25", "mended 21"])
    #expect(nodes[0].answer(all).batches.count == 20)
  }

  @Test func `a batch that no node has whole is named, kept in mind, and asked for again`() throws {
    let batches = sampleLog(60, every: 10, seed: 24)
    let nodes = try (1...3).map { try ScrubbedNode($0, batches) }
    connect(nodes)
    for node in nodes {
      node.damage(22)
      node.damage(33)
    }
    nodes[2].damage(44)
    try run(nodes, seconds: 0...8)
    for node in nodes {
      #expect(node.notes.contains("no copy 22") && node.notes.contains("no copy 33"))
      #expect(node.plan.damaged.map(\.firstIndex.rawValue) == [21, 31])
    }
    #expect(nodes[2].notes.contains("mended 41"))
    // An operator brings one copy back from a backup.
    for segment in 2...3 {
      writeBytes(nodes[1].files[segment], to: ScrubbedNode.path(nodes[1].node, segment))
    }
    try run(nodes, seconds: 9...60)
    for node in nodes { #expect(node.isWhole && node.plan.damaged.isEmpty, "\(node.notes)") }
  }

  @Test func `batches of another history are not taken, and the next node is asked`() throws {
    let batches = sampleLog(60, every: 10, seed: 25)
    let strangers = sampleLog(60, every: 10, seed: 26)
    let nodes = [
      try ScrubbedNode(1, batches), try ScrubbedNode(2, strangers), try ScrubbedNode(3, batches),
    ]
    connect(nodes)
    for index in [3, 17, 28, 29, 41] { nodes[0].damage(index) }
    try run(nodes, seconds: 0...30)
    #expect(nodes[0].isWhole && nodes[0].plan.mendedCount == 4, "\(nodes[0].notes)")
  }

  @Test func `a node that does not answer holds up nothing for long`() throws {
    let batches = sampleLog(60, every: 10, seed: 27)
    let nodes = [try ScrubbedNode(1, batches), try ScrubbedNode(3, batches)]
    for peer in [2, 3] { nodes[0].plan.setConnected(NodeID(UInt16(peer)), true) }
    for index in [5, 15, 25] { nodes[0].damage(index) }
    try run(nodes, seconds: 0...20)
    #expect(nodes[0].isWhole, "\(nodes[0].notes)")
    // One that loses its connection is not waited for.
    nodes[0].damage(5)
    nodes[0].plan.setConnected(NodeID(3), false)
    try run(nodes, seconds: 21...24)
    nodes[0].plan.setConnected(NodeID(2), false)
    nodes[0].plan.setConnected(NodeID(3), true)
    try run(nodes, seconds: 25...40)
    #expect(nodes[0].isWhole, "\(nodes[0].notes)")
  }

  @Test func `a segment that cannot be read holds up no other, and is told`() throws {
    let batches = sampleLog(60, every: 10, seed: 29)
    let nodes = try (1...2).map { try ScrubbedNode($0, batches) }
    connect(nodes)
    let path = ScrubbedNode.path(nodes[0].node, 1)
    let whole = nodes[0].files[1]
    try PosixFileSystem().remove(path)
    try PosixFileSystem().createDirectory(path)  // It opens, and reading it fails.
    nodes[0].damage(45)
    try run(nodes, seconds: 0...9)
    #expect(nodes[0].plan.passCount > 0 && nodes[0].plan.checkedCount >= 4)
    #expect(nodes[0].notes.contains("failed") && nodes[0].notes.contains("mended 41"))
    #expect(nodes[0].plan.damaged.map(\.firstIndex.rawValue) == [11])
    #expect(rmdir(path) == 0)
    writeBytes(whole, to: path)
    try run(nodes, seconds: 10...60)
    #expect(nodes[0].isWhole && nodes[0].plan.damaged.isEmpty, "\(nodes[0].notes)")
  }

  @Test func `what rots while a segment is being mended is mended with it`() throws {
    let batches = sampleLog(60, every: 10, seed: 30)
    let nodes = try (1...2).map { try ScrubbedNode($0, batches) }
    connect(nodes)
    nodes[0].damage(15)
    var isWorse = false
    for step in 0...40 as ClosedRange<Int64> {
      let now = step * Self.second / 10
      try nodes[0].carryOut(nodes[0].plan.tick(at: now), at: now) { request, _ in
        if !isWorse { nodes[0].damage(12) }
        isWorse = true
        return nodes[1].answer(request)
      }
    }
    #expect(isWorse && nodes[0].isWhole && !nodes[0].notes.contains("failed"))
  }

  @Test func `a file that is gone is written again`() throws {
    let batches = sampleLog(60, every: 10, seed: 28)
    let nodes = try (1...2).map { try ScrubbedNode($0, batches) }
    connect(nodes)
    try PosixFileSystem().remove(ScrubbedNode.path(nodes[0].node, 2))
    try run(nodes, seconds: 0...10)
    #expect(nodes[0].isWhole && nodes[0].plan.mendedCount == 1)
  }
}
