// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import HybridTime
import Ledger
import SegmentLog
import Testing

@testable import Replica

@Suite struct BeaconTests {
  private func events(_ cluster: SimulatedReplicas, at id: NodeID) -> [Event] {
    cluster.disks[id]!.written.flatMap { batch -> [Event] in
      let records = batch.records
      var cursor = RecordCursor(records.span.bytes)
      var found: [Event] = []
      while let record = try! cursor.next(in: records.span.bytes) {
        found.append(try! Event(record, in: records.span.bytes))
      }
      return found
    }
  }

  @Test func `a beacon of any node gets into every log, above all that its node has stamped`()
    throws
  {
    let cluster = SimulatedReplicas(count: 3, seed: 8)
    #expect(cluster.runUntilLed() != nil)
    for id in cluster.ids {
      _ = cluster.submit(draft(UInt64(id.rawValue)), at: id)
    }
    cluster.run(ticks: 30)
    for id in cluster.ids { cluster.feed(.beacon, to: id) }
    cluster.run(ticks: 30)
    for id in cluster.ids {
      let all = events(cluster, at: id)
      for node in cluster.ids {
        let stamps = all.filter { $0.stamp.node == node }
        guard case .beacon(let beacon) = stamps.last else {
          Issue.record("node \(node.rawValue)'s beacon is not in the log of \(id.rawValue)")
          continue
        }
        #expect(stamps.dropLast().allSatisfy { $0.stamp.hybrid < beacon.hybrid })
      }
    }
  }

  @Test func `while a payment waits for its answer there is no beacon`() throws {
    let cluster = SimulatedReplicas(count: 3, seed: 9)
    let leader = try #require(cluster.runUntilLed())
    let other = cluster.ids.first { $0 != leader }!
    _ = cluster.submit(draft(1), at: other)
    cluster.feed(.beacon, to: other)
    cluster.run(ticks: 40)
    let found = events(cluster, at: leader)
    #expect(found.contains { if case .payment = $0 { true } else { false } })
    #expect(!found.contains { if case .beacon = $0 { true } else { false } })
  }
}
