// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import HybridTime
import Ledger
import Raft
import SegmentLog
import Testing

@testable import Replica

@Suite struct RandomReplicaTests {
  /// Loss, repetition, partitions, crashes that lose what was not durable: and yet no acknowledged
  /// payment is lost or applied twice, and all nodes hold the same bytes (DESIGN, promises 1–3).
  @Test(arguments: 1...60)
  func `no acknowledged payment is lost whatever fails`(seed: UInt64) throws {
    let cluster = SimulatedReplicas(count: seed.isMultiple(of: 4) ? 5 : 3, seed: seed) {
      $0.segmentByteCountMax = 4000
      $0.cacheByteCountMax = 20_000
      $0.batchesInFlightMax = 1 + Int(seed % 4)
    }
    var chaos = SeededGenerator(seed: seed ^ 0xc4a05)
    cluster.lossPercent = Int.random(in: 0...20, using: &chaos)
    cluster.repeatPercent = Int.random(in: 0...30, using: &chaos)
    var tokens: [(token: UInt64, number: UInt64)] = []
    var number: UInt64 = 0
    for _ in 0..<1500 {
      if Int.random(in: 0..<100, using: &chaos) < 30 {
        // Sometimes an earlier id again, by whichever node.
        let again = number > 0 && Int.random(in: 0..<10, using: &chaos) == 0
        if !again { number += 1 }
        let paid = again ? UInt64.random(in: 1...number, using: &chaos) : number
        let id = cluster.ids.randomElement(using: &chaos)!
        if cluster.boxes[id] != nil {
          tokens.append((cluster.submit(draft(paid, cents: Int(paid)), at: id), paid))
        }
      }
      disturb(cluster, &chaos)
      cluster.tick()
    }
    cluster.lossPercent = 0
    cluster.repeatPercent = 0
    cluster.heal()
    for id in cluster.ids where cluster.boxes[id] == nil { cluster.start(id) }
    cluster.run(ticks: 1200)

    #expect(cluster.halts.isEmpty, "seed \(seed)")
    try check(cluster, tokens, seed)
  }

  private func disturb(_ cluster: SimulatedReplicas, _ chaos: inout SeededGenerator) {
    let minority = (cluster.ids.count - 1) / 2
    switch Int.random(in: 0..<200, using: &chaos) {
    case 0:
      let down = cluster.ids.count { cluster.boxes[$0] == nil }
      let id = cluster.ids.randomElement(using: &chaos)!
      if down < minority, cluster.boxes[id] != nil { cluster.crash(id) }
    case 1, 2:
      if let id = cluster.ids.first(where: { cluster.boxes[$0] == nil }) { cluster.start(id) }
    case 3: cluster.isolate(cluster.ids.randomElement(using: &chaos)!)
    case 4, 5: cluster.heal()
    default: break
    }
  }

  private func check(
    _ cluster: SimulatedReplicas, _ tokens: [(token: UInt64, number: UInt64)], _ seed: UInt64
  ) throws {
    let first = cluster.ids[0]
    var acknowledged: Set<UInt64> = []
    for (token, number) in tokens {
      switch cluster.settled[token] {
      case .applied, .duplicate: acknowledged.insert(number)
      case .rejected: Issue.record("nothing here is to be rejected, seed \(seed)")
      case .refused, nil: break
      }
    }
    #expect(acknowledged.count > 20, "the run must have done something, seed \(seed)")
    for number in acknowledged.sorted() {
      guard case .applied = try cluster.boxes[first]!.replica.state.ledger.lookup(draft(number).id)
      else {
        Issue.record("payment \(number) was acknowledged and is lost, seed \(seed)")
        return
      }
    }
    for id in cluster.ids {
      #expect(cluster.digest(id) == cluster.digest(first), "seed \(seed)")
      #expect(
        cluster.disks[id]!.written.map(\.bytes) == cluster.disks[first]!.written.map(\.bytes),
        "byte-identical logs, seed \(seed)")
      #expect(cluster.boxes[id]!.replica.state.ledger.currencyOutOfBalance() == nil)
    }
    let late = cluster.submit(draft(1 << 40), at: first)
    cluster.run(ticks: 100)
    guard case .applied = cluster.settled[late] else {
      Issue.record("a healed cluster goes on, seed \(seed)")
      return
    }
  }
}
