import Bytes
import Evidence
@testable import NodeRuntime
import Raft
import Replica
import SegmentLog
import Testing

private let clusterID = ClusterID(name: "cosigning")
private let three = Membership(voters: [NodeID(1), NodeID(2), NodeID(3)])

private func signer(_ node: UInt16, seed: UInt8? = nil) throws -> NodeSigner {
  let bytes = [UInt8](repeating: seed ?? UInt8(node), count: NoteSigner.seedByteCount)
  return try #require(NodeSigner(seed: bytes, node: NodeID(node), cluster: clusterID))
}

private func checkpoint(_ index: UInt64, events: UInt64? = nil) -> LogCheckpoint {
  LogCheckpoint(
    cluster: clusterID, index: LogIndex(index), hash: Digest256Hasher.digest([1].span.bytes),
    lastSequence: EventSequence(events ?? index * 3),
    root: Digest256Hasher.digest([2].span.bytes),
    ledgerDigest: Digest256Hasher.digest([3].span.bytes))
}

/// One node's part, with what follows from each call.
private struct Desk {
  var cosigning: Cosigning

  init(_ node: UInt16, seed: UInt8? = nil) throws {
    cosigning = Cosigning(
      node: NodeID(node), cluster: clusterID, signer: try signer(node, seed: seed), keys: [:])
  }

  mutating func reach(
    _ index: UInt64, events: UInt64? = nil, endsSegment: Bool = false,
    _ membership: Membership = three
  ) -> [CosigningEffect] {
    var effects: [CosigningEffect] = []
    cosigning.reached(
      checkpoint(index, events: events), endsSegment: endsSegment, membership: membership,
      unixSeconds: 1_795_000_000, into: &effects)
    return effects
  }

  mutating func hear(_ message: SignedCheckpoint, from node: UInt16) -> [CosigningEffect] {
    var effects: [CosigningEffect] = []
    cosigning.hear(message, from: NodeID(node), membership: three, into: &effects)
    return effects
  }
}

private func sent(_ effects: [CosigningEffect]) throws -> SignedCheckpoint {
  try #require(
    effects.compactMap { if case .send(let message) = $0 { message } else { nil } }.first)
}

private func signed(_ effects: [CosigningEffect]) -> [CosignedCheckpoint] {
  effects.compactMap { if case .signed(let signed) = $0 { signed } else { nil } }
}

private func notes(_ effects: [CosigningEffect]) -> [CosigningNote] {
  effects.compactMap { if case .note(let note) = $0 { note } else { nil } }
}

@Suite struct CosigningTests {
  @Test func `a checkpoint is told once a majority has signed it, and again for each more`() throws
  {
    var (one, two, other) = (try Desk(1), try Desk(2), try Desk(3))
    #expect(signed(one.reach(5)).isEmpty)
    let second = signed(one.hear(try sent(two.reach(5)), from: 2))
    #expect(second.map(\.signers) == [[NodeID(1), NodeID(2)]])
    let third = signed(one.hear(try sent(other.reach(5)), from: 3))
    #expect(third.map(\.signers) == [[NodeID(1), NodeID(2), NodeID(3)]])
    let policy = try #require(TrustPolicy(one.cosigning.keys, voters: three.voters))
    let trusted = try policy.verify(try #require(third.first).note)
    #expect(trusted.checkpoint == checkpoint(5).checkpoint)
    #expect(trusted.witnesses.map(\.name) == ["node1", "node2", "node3"])
  }

  @Test func `what another node signs before this one has come as far is kept for then`() throws {
    var (one, two) = (try Desk(1), try Desk(2))
    let early = one.hear(try sent(two.reach(7)), from: 2)
    #expect(signed(early).isEmpty && notes(early).isEmpty)
    #expect(signed(one.reach(6)).isEmpty)
    #expect(signed(one.reach(7)).map(\.signers) == [[NodeID(1), NodeID(2)]])
  }

  @Test func `the same message again adds nothing`() throws {
    var (one, two) = (try Desk(1), try Desk(2))
    _ = one.reach(5)
    let message = try sent(two.reach(5))
    #expect(signed(one.hear(message, from: 2)).count == 1)
    #expect(one.hear(message, from: 2).isEmpty)
  }

  @Test func `a place that also ends a segment is signed once and told again`() throws {
    var one = try Desk(1)
    let alone = Membership(voters: [NodeID(1)])
    #expect(signed(one.reach(5, alone)).map(\.endsSegment) == [false])
    let again = one.reach(5, endsSegment: true, alone)
    #expect(signed(again).map(\.endsSegment) == [true])
    #expect(signed(again).first?.note.signatures.count == 2)
  }

  @Test func `a node that has signed another log is named with the proof`() throws {
    var (one, two) = (try Desk(1), try Desk(2))
    _ = one.reach(5)
    let effects = one.hear(try sent(two.reach(5, events: 14)), from: 2)
    #expect(signed(effects).isEmpty)
    guard case .contradicted(NodeID(2), checkpoint(5, events: 14), let proof) = notes(effects).first
    else {
      Issue.record("\(notes(effects))")
      return
    }
    // The note convicts by itself: node 2's own key is under it.
    #expect(try signer(2).keys.haveSigned(proof))
  }

  @Test func `a node's first key is its key for good`() throws {
    var (one, two, thief) = (try Desk(1), try Desk(2), try Desk(2, seed: 99))
    _ = one.reach(5)
    _ = one.hear(try sent(two.reach(5)), from: 2)
    let effects = one.hear(try sent(thief.reach(6)), from: 2)
    #expect(notes(effects) == [.keyChanged(NodeID(2))])
    #expect(one.hear(try sent(thief.reach(7)), from: 2).isEmpty, "it is told once")
    #expect(one.cosigning.keys[NodeID(2)] == (try signer(2).keys))
  }

  @Test func `signatures of another's key or another cluster are refused`() throws {
    var (one, two) = (try Desk(1), try Desk(2))
    let message = try sent(two.reach(5))
    // Node 3 sends what node 2 signed.
    #expect(notes(one.hear(message, from: 3)) == [.refused(NodeID(3))])
    let forged = SignedCheckpoint(
      publicKey: try signer(1).keys.publicKey, note: message.note)
    #expect(notes(one.hear(forged, from: 2)) == [.refused(NodeID(2))])
    let torn = SignedCheckpoint(
      publicKey: message.publicKey, note: String(message.note.dropLast(9)))
    var fresh = try Desk(1)
    #expect(notes(fresh.hear(torn, from: 2)) == [.refused(NodeID(2))])
  }

  @Test func `while the voters change, majorities of the old and the new ones are needed`() throws {
    var (one, two, other) = (try Desk(1), try Desk(2), try Desk(3))
    let joint = Membership(voters: [NodeID(1), NodeID(2)], outgoing: [NodeID(3)])
    #expect(signed(one.reach(5, joint)).isEmpty)
    var effects: [CosigningEffect] = []
    one.cosigning.hear(try sent(two.reach(5)), from: NodeID(2), membership: joint, into: &effects)
    #expect(signed(effects).isEmpty)
    one.cosigning.hear(try sent(other.reach(5)), from: NodeID(3), membership: joint, into: &effects)
    #expect(signed(effects).count == 1)
  }
}
