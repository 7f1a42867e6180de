import ArgumentParser

/// Whole clusters, and single clocks, in simulation.
@main
struct SyncpaySim: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "syncpay-sim",
    abstract: "Run whole clusters and single clocks in simulation, from seeds.",
    discussion: """
      Without a subcommand it runs worlds: syncpay-sim --seed 42 is syncpay-sim worlds --seed 42.
      """,
    subcommands: [WorldsCommand.self, ClocksCommand.self, ClockCostCommand.self],
    defaultSubcommand: WorldsCommand.self)
}
