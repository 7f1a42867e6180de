// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import HybridTime
import Ledger
import Raft
import SegmentLog
import Testing

@testable import Replica

/// What a client is told when it sends a payment again while the first sending is still on its way.
@Suite struct RetryTests {
  /// A payment that its sender was told is in doubt, while its record waits at a leader that cannot
  /// commit it.
  private func clusterWithDoubt() -> (cluster: SimulatedReplicas, sender: NodeID) {
    let cluster = SimulatedReplicas(count: 3, seed: 21) {
      $0.answerTicksMax = 15
      $0.resendTicks = 1000
    }
    let leader = cluster.runUntilLed()!
    let sender = cluster.ids.first { $0 != leader }!
    let other = cluster.ids.first { $0 != leader && $0 != sender }!
    cluster.run(ticks: 20)
    cluster.severed = [[leader, sender], [other, leader], [other, sender], [sender, other]]
    let token = cluster.submit(draft(1, cents: 1000), at: sender)
    cluster.run(ticks: 20)
    guard case .refused(.inDoubt) = cluster.settled[token] else {
      Issue.record("the case is not reached: \(String(describing: cluster.settled[token]))")
      return (cluster, sender)
    }
    return (cluster, sender)
  }

  @Test func `another payment under an id in doubt is not answered by the first one's outcome`() {
    let (cluster, sender) = clusterWithDoubt()
    let token = cluster.submit(draft(1, cents: 2000), at: sender)
    cluster.severed = []
    cluster.run(ticks: 300)
    guard case .refused(.idReused) = cluster.settled[token] else {
      Issue.record("\(String(describing: cluster.settled[token]))")
      return
    }
    #expect(
      cluster.boxes[sender]!.replica.state.ledger.balance(of: Array("bob".utf8), .usd) == 1000)
  }

  @Test func `the same payment again is told where the first one stands`() throws {
    let (cluster, sender) = clusterWithDoubt()
    let token = cluster.submit(draft(1, cents: 1000), at: sender)
    cluster.severed = []
    cluster.run(ticks: 300)
    guard case .duplicate(let sequence) = cluster.settled[token] else {
      Issue.record("\(String(describing: cluster.settled[token]))")
      return
    }
    #expect(
      try cluster.boxes[sender]!.replica.state.ledger.lookup(draft(1).id) == .applied(sequence))
  }

  @Test
  func `a retry at another node after the leader died is settled by the dead leader's record`() {
    let cluster = SimulatedReplicas(count: 3, seed: 22) { $0.answerTicksMax = 400 }
    let leader = cluster.runUntilLed()!
    cluster.run(ticks: 20)
    let survivor = cluster.ids.first { $0 != leader }!
    cluster.submit(draft(1), at: leader)
    // The entry reaches the followers; that it is committed they never hear.
    let before = cluster.disks[survivor]!.written.count
    for _ in 0..<10 where cluster.disks[survivor]!.written.count == before { cluster.tick() }
    cluster.crash(leader)
    cluster.envelopes.removeAll()
    #expect(cluster.applied(survivor) == 0)
    let token = cluster.submit(draft(1), at: survivor)
    cluster.run(ticks: 250)
    guard case .duplicate = cluster.settled[token] else {
      Issue.record("\(String(describing: cluster.settled[token]))")
      return
    }
    #expect(cluster.applied(survivor) == 1)
  }

  @Test func `a refusal of one sending does not speak for the others`() {
    let cluster = SimulatedReplicas(count: 3, seed: 23) { $0.resendTicks = 3 }
    let leader = cluster.runUntilLed()!
    let sender = cluster.ids.first { $0 != leader }!
    let other = cluster.ids.first { $0 != leader && $0 != sender }!
    cluster.run(ticks: 20)
    cluster.severed = [[leader, sender], [other, leader], [other, sender], [sender, other]]
    let token = cluster.submit(draft(1), at: sender)
    cluster.run(ticks: 6)
    let stamp = cluster.boxes[sender]!.replica.ingress[draft(1).id]!.stamp.hybrid
    cluster.feed(
      .receive(
        .forwardRefused(ForwardRefusal(first: stamp, last: stamp, reason: .clockAhead)),
        from: leader), to: sender)
    guard case .refused(.inDoubt) = cluster.settled[token] else {
      Issue.record("\(String(describing: cluster.settled[token]))")
      return
    }
  }
}
