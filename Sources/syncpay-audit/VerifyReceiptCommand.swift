import ArgumentParser
import Audit
import HostFiles

/// `syncpay-audit verify-receipt`.
struct VerifyReceiptCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify-receipt",
    abstract: "Check a payment's receipt, without a node or a log.",
    discussion: """
      A receipt (GET /v1/payments/ID/receipt; C2SP tlog-proof) holds the event, the proof that it is in
      the log, and a checkpoint of the log with the nodes' signatures. Whose signatures count, and how
      many are needed, says the trust policy (C2SP tlog-policy): keep your own copy of it, from a time
      when you trusted the nodes. GET /v1/trust-policy gives one.

      What is proven is that the event is in the log, unchanged, at its place. Nodes give receipts for
      payments that were applied only; that this one was is what they say, and what a replay of the
      log shows (syncpay-audit ledger).

      Exit status: 0 proven, 1 not proven, 2 something could not be read.

      Examples:
        curl -s http://127.0.0.1:5001/v1/payments/invoice-1/receipt > receipt.txt
        syncpay-audit verify-receipt receipt.txt --policy trusted.txt
      """)

  @Argument(help: "The receipt.")
  var file: String

  @Option(help: ArgumentHelp("Whose signatures count.", valueName: "file"))
  var policy: String

  @Option(help: "Form of the output: table or json.")
  var format = ReportFormat.table

  func run() throws {
    let report: ReceiptReport
    do throws(AuditError) {
      report = try ReceiptReport(file, policyPath: policy, in: PosixFileSystem())
    } catch {
      Terminal.complain(error.description)
      throw ExitCode(error.isDisproof ? 1 : 2)
    }
    try syncpay_audit.run { () throws(AuditError) in
      try report.write(format, to: Terminal.writer())
    }
  }
}
