import ArgumentParser
import Audit
import HostFiles

/// `syncpay-audit consistency`.
struct ConsistencyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "consistency",
    abstract: "Check that one signed checkpoint's log is the beginning of another's.",
    discussion: """
      Takes a checkpoint, and the proof that a node gives from its size to the newest checkpoint (GET
      /v1/consistency?from=SIZE; an add-checkpoint request of C2SP tlog-witness). Needs no log: who holds
      on to a checkpoint can see at any later time that nothing before it was changed or left out.

      Exit status: 0 consistent, 1 not, 2 something could not be read.

      Examples:
        curl -s http://127.0.0.1:5001/v1/checkpoint > old.checkpoint
        curl -s "http://127.0.0.1:5001/v1/consistency?from=$(sed -n 2p old.checkpoint)" > proof.txt
        syncpay-audit consistency old.checkpoint proof.txt --policy trusted.txt
      """)

  @Argument(help: "The older checkpoint.")
  var old: String

  @Argument(help: "The proof, with the newer checkpoint in it.")
  var proof: String

  @Option(help: ArgumentHelp("Whose signatures count.", valueName: "file"))
  var policy: String

  func run() throws {
    do throws(AuditError) {
      let report = try ConsistencyReport(
        from: old, proofPath: proof, policyPath: policy, in: PosixFileSystem())
      print(report.sentence)
    } catch {
      Terminal.complain(error.description)
      throw ExitCode(error.isDisproof ? 1 : 2)
    }
  }
}
