import ArgumentParser
import Foundation
import HostFiles
import Logging
import NodeServer
import ServiceLifecycle
import UnixSignals

/// One node of a syncpay cluster.
@main
struct Syncpayd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "syncpayd",
    abstract: "Runs one node of a syncpay cluster.",
    discussion: """
      Settings come from flags, then from environment variables, then from the file, then from \
      the defaults. `syncpayd --settings` lists them all. SIGTERM and SIGINT end the node \
      gracefully: it answers or refuses what is in flight, hands leadership over, makes \
      everything durable and exits with status 0.

      Exit status: 0 stopped as asked; 1 cannot start; 70 went wrong in a way that must not be \
      retried blindly (a disk that fails, histories that differ).
      """)

  @Option(name: .shortAndLong, help: "The node's settings, a JSON file.")
  var config: String?

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp("Overrides one setting.", valueName: "key=value"))
  var overrides: [String] = []

  @Flag(help: "Lists every setting with its default, and exits.")
  var settings = false

  @Flag(help: "Checks the settings, and exits.")
  var check = false

  @Flag(
    help: ArgumentHelp(
      "A node whose disk lost what it had acknowledged abstains from votes; with this it votes again.",
      discussion: """
        For the case that a majority is in this state and nobody can be elected: see the operator's \
        guide. HAZARD: acknowledged payments that no node's log holds any more are then gone for good.
        """))
  var vouchForLog = false

  func run() async throws {
    if settings { return print(SettingsReference.text) }
    var loaded: NodeSettings
    do {
      loaded = try await SettingsLoader(
        file: config, environment: ProcessInfo.processInfo.environment, flags: overrides
      ).load()
    } catch {
      throw failure("\(error)")
    }
    loaded.isLogVouchedFor = vouchForLog
    if check { return print("the settings are sound") }
    raiseDescriptorLimit()
    HostMemory.keepFreed()
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    var logger = Logger(label: loaded.name)
    logger.logLevel = loaded.logLevel
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [.init(service: NodeService(settings: loaded, logger: logger))],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    do {
      try await group.run()
    } catch let problem as StartProblem {
      throw failure("\(problem)")
    }
  }

  private func failure(_ sentence: String) -> ExitCode {
    FileHandle.standardError.write(Data("syncpayd: \(sentence)\n".utf8))
    return .failure
  }
}
