import Testing

@testable import Simulation

@Suite struct WorldMemoryTests {
  // Thousands of worlds in one process took all memory: each kept its last processes and disks.
  @Test func `nothing of a world stays when it is over`() {
    weak var host: SimulatedHost?
    weak var disk: SimulatedDisk?
    do {
      var options = SimulationOptions(seed: 3)
      options.activeNanoseconds = 1_000_000_000
      let world = World(options)
      host = world.hosts[0]
      disk = host?.disk
      #expect(world.run().violation == nil)
    }
    #expect(host == nil && disk == nil)
  }
}
