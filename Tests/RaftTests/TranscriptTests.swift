import Foundation
import Testing

/// Scenarios in text files, in the manner of etcd-io/raft's interaction tests: what a cluster does
/// when it is told what to do, line by line.
@Suite struct TranscriptTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "Transcripts")

  private static let names: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
    .filter { $0.hasSuffix(".txt") }.sorted()

  @Test func `the transcripts are found`() { #expect(Self.names.count >= 15) }

  /// Write what the cluster of today does with SYNCPAY_WRITE_TRANSCRIPTS=1 in the environment, and
  /// read the difference.
  @Test(arguments: names)
  func `a scenario runs as its transcript says`(name: String) throws {
    let file = Self.folder.appending(path: name)
    let expected = try String(contentsOf: file, encoding: .utf8)
    let actual = try Transcript.run(expected)
    if ProcessInfo.processInfo.environment["SYNCPAY_WRITE_TRANSCRIPTS"] != nil {
      try actual.write(to: file, atomically: true, encoding: .utf8)
      return
    }
    guard actual != expected else { return }
    let lines = zip(expected.split(separator: "\n"), actual.split(separator: "\n"))
    let difference = lines.first { $0 != $1 }
    Issue.record(
      """
      \(name) differs; the file says
      \(difference?.0 ?? "(its end)")
      and the cluster
      \(difference?.1 ?? "(its end)")
      """)
  }

  @Test func `a command that nobody knows is found`() {
    for text in ["frobnicate 1", "nodes", "nodes 3\ndeliver 1-2", "nodes 3\ntick 1"] {
      #expect(throws: Transcript.Failure.self) { try Transcript.run(text) }
    }
  }

  @Test func `what stands below a command is what it causes`() throws {
    let text = try Transcript.run("# one\nnodes 1\ntick 1 1\n  nonsense\nstatus")
    #expect(!text.contains("nonsense"))
    #expect(text.contains("tick 1 1\n  1 notes term 1 and its vote for 1\n  1 leads term 1"))
  }
}
