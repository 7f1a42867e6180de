import ArgumentParser
import Audit
import Bytes
import HostFiles
import SegmentLog

/// `syncpay restore`.
struct RestoreCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Make a node's data directory from a backup.",
    discussion: """
      Checks every file of the backup, copies it, verifies every byte and hash of the copy, replays \
      the ledger, and compares it with the signed checkpoint; only then the data directory gets its \
      name. Until then it is DATA.partial.

      --policy says whose signatures count: your own copy of the nodes' keys. Without it those that \
      the backup holds count, and whoever made or changed the backup may have chosen them.

      The restored node does not vote until it holds an entry of a later leader, for the others may \
      have acknowledged what came after the backup. So one node restored into a running cluster \
      catches up by itself. To bring back a whole cluster, restore every member from the same \
      backup, and start each once with 'syncpayd --vouch-for-log'.

      Exit codes: 0 restored; 1 the backup is unfinished, changed or not what was signed; 64 the \
      command line is wrong.

      Example: syncpay restore backups/monday --data run/node1/data --number 1 --policy trusted.txt
      """)

  @Argument(help: ArgumentHelp("The backup's directory.", valueName: "directory"))
  var backup: String

  @Option(
    help: ArgumentHelp("The node's data directory; must not be there yet.", valueName: "directory"))
  var data: String

  @Option(help: "The node's number.")
  var number: UInt16

  @Option(help: ArgumentHelp("Whose signatures count (C2SP tlog-policy).", valueName: "file"))
  var policy: String?

  func perform() async throws {
    HostMemory.keepFreed()
    var random = SystemRandomNumberGenerator()
    do throws(BackupProblem) {
      let restored = try RestoredDirectory(
        backup, at: data, number: number, policyPath: policy,
        newStore: UInt64.random(in: 1 ... .max, using: &random), in: PosixFileSystem(),
        workers: HostThread.concurrently,
        meter: ProgressMeter { Terminal.progress("verified \($0) bytes") })
      let signers = restored.log.confirmed.last?.signers.joined(separator: ", ") ?? "–"
      Terminal.line(
        "\(data): \(restored.log.eventCount) events up to batch \(restored.log.lastIndex.rawValue), "
          + "replayed to the checkpoint that \(signers) signed.")
      if policy == nil {
        Terminal.note(
          "The keys were those in the backup; give your own with --policy to trust no one else.")
      }
    } catch {
      throw CommandFailure(.refused, error.sentence)
    }
  }
}
