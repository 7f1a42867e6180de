import Bytes
import Raft
import Testing

/// Clusters under loss, repetition, reordering, partitions, crashes that lose what was not durable,
/// and slow disks: first safety (Raft figure 3), then, after all is healed, liveness.
@Suite struct RandomClusterTests {
  @Test(arguments: [3, 5])
  func `whatever happens, figure 3 holds, and after it the cluster works`(count: Int) {
    var total = Happenings()
    for seed in UInt64(0)..<(count == 3 ? 200 : 100) {
      do throws(Violation) {
        try run(count: count, seed: seed, &total)
      } catch {
        Issue.record("\(count) nodes, seed \(seed): \(error)")
        return
      }
    }
    // A test that nothing happens in tests nothing.
    #expect(total.leaders > 500)
    #expect(total.truncations > 50)
    #expect(total.crashes > 500)
    #expect(total.commits > 5000)
    #expect(total.transfers > 20)
    #expect(total.refusals > 50)
  }

  private func run(count: Int, seed: UInt64, _ total: inout Happenings) throws(Violation) {
    var cluster = SimulatedCluster(count: count, seed: seed)
    defer { total.add(cluster.happenings) }
    try cluster.run(ticks: 300)
    let earlier = cluster.committed.count
    cluster.heal()
    try cluster.run(ticks: 150)
    cluster.hasClients = false
    try cluster.run(ticks: 60)
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
  }
}
