import Audit
import Foundation
import HostFiles
import Simulation

/// A failure as a directory: options, trace, every node's files, their timeline, and how to run it
/// again.
struct Bundle {
  private let result: SimulationResult

  init(_ result: SimulationResult) { self.result = result }

  /// Writes `DIR/seed-N/…`, in place of an older one, and tells where.
  func write(into directory: String) throws {
    guard let violation = result.violation else { return }
    let seed = result.options.seed
    let root = URL(filePath: directory).appending(path: "seed-\(seed)")
    try? FileManager.default.removeItem(at: root)
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    let canary = result.options.canary == .none ? "" : " --canary \(result.options.canary.rawValue)"
    let replay = "syncpay-sim --seed \(seed) --trace\(canary)"
    let options = OptionsText(result.options)
    try text(options.json, to: root.appending(path: "options.json"))
    try text(result.trace.joined(separator: "\n") + "\n", to: root.appending(path: "trace.txt"))
    let story =
      [
        "commit \(Self.commit)", "\(violation)",
        "trace hash \(String(result.traceHash, radix: 16))",
      ]
      + ["replay: \(replay)"] + options.lines + result.statistics.lines
    try text(story.joined(separator: "\n") + "\n", to: root.appending(path: "README.txt"))
    for file in result.files {
      let url = root.appending(path: file.path)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(file.bytes).write(to: url)
    }
    let nodes = Set(
      result.files.compactMap { $0.path.split(separator: "/").first.map(String.init) })
    try text(
      Self.timeline(nodes.sorted().map { root.appending(path: $0).path }),
      to: root.appending(path: "timeline.txt"))
    print("  commit \(Self.commit), bundle \(root.path), replay: \(replay)")
  }

  /// All events of all nodes in order of time, or why the files do not tell.
  private static func timeline(_ directories: [String]) -> String {
    var bytes: [UInt8] = []
    do throws(AuditError) {
      let log = try AgreedLog(directories, in: PosixFileSystem())
      var options = TimelineOptions()
      options.showsAll = true
      let writer = ReportWriter { piece throws(OutputError) in bytes.append(contentsOf: piece) }
      _ = try log.writeTimeline(options, to: writer)
    } catch {
      bytes.append(contentsOf: Array("\(error)\n".utf8))
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func text(_ text: String, to url: URL) throws { try Data(text.utf8).write(to: url) }

  /// The commit of the working directory, or "unknown".
  private static var commit: String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["git", "rev-parse", "HEAD"]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return "unknown" }
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let text = String(decoding: output, as: UTF8.self).trimmingCharacters(in: .newlines)
    return process.terminationStatus == 0 && !text.isEmpty ? text : "unknown"
  }
}
