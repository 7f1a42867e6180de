import Bytes
import Foundation
import Raft
import Testing

/// Clusters under loss, repetition, reordering, partitions, crashes that lose what was not durable,
/// and slow disks: first safety (Raft figure 3), then, after all is healed, liveness.
///
/// SYNCPAY_RAFT_SEEDS in the environment runs as many seeds of each kind instead.
@Suite struct RandomClusterTests {
  private static let seedsAsked = ProcessInfo.processInfo.environment["SYNCPAY_RAFT_SEEDS"]
    .flatMap { UInt64($0) }

  @Test(arguments: [(3, 0), (3, 3), (5, 1), (2, 2)])
  func `whatever happens, figure 3 holds, and after it the cluster works`(
    count: Int, spare: Int
  ) {
    var total = Happenings()
    let seeds = Self.seedsAsked ?? (count == 5 ? 70 : count == 2 ? 200 : 120)
    for seed in 0..<seeds {
      do throws(Violation) {
        try run(count: count, spare: spare, seed: seed, &total)
      } catch {
        Issue.record("\(count) + \(spare) nodes, seed \(seed): \(error)")
        return
      }
    }
    // A test that nothing happens in tests nothing.
    #expect(total.leaders > 2 * Int(seeds))
    #expect(total.truncations > (count == 2 ? 2 : 20))
    #expect(total.crashes > 3 * Int(seeds))
    #expect(total.commits > 20 * Int(seeds))
    #expect(total.transfers > 2)
    #expect(total.refusals > Int(seeds))
    #expect(total.changes > Int(seeds) / 4)
    #expect(total.removals > 10)
    #expect(total.reads > 20 * Int(seeds))
    // Two voters cannot spare one.
    #expect(count == 2 || total.losses > 10)
  }

  private func run(
    count: Int, spare: Int, seed: UInt64, _ total: inout Happenings
  ) throws(Violation) {
    var cluster = SimulatedCluster(count: count, spare: spare, seed: seed)
    defer { total.add(cluster.happenings) }
    try cluster.run(ticks: 300)
    let earlier = cluster.committed.count
    cluster.heal()
    try cluster.run(ticks: 60)
    cluster.hasClients = false
    // A backlog of hundreds, one entry a message, takes its time; most settle in the first round.
    for _ in 0..<60 {
      try cluster.run(ticks: 20)
      if (try? cluster.checkSettled(after: earlier)) != nil { return }
    }
    try cluster.checkSettled(after: earlier)
  }
}

extension Happenings {
  /// Adds those of another run.
  mutating func add(_ other: Happenings) {
    leaders += other.leaders
    truncations += other.truncations
    crashes += other.crashes
    commits += other.commits
    transfers += other.transfers
    refusals += other.refusals
    changes += other.changes
    removals += other.removals
    reads += other.reads
    losses += other.losses
  }
}
