import Foundation
import Testing

extension EndToEnd {
  /// `syncpay-sim` as people run it.
  @Suite struct Simulations {
    @Test func `a failure is told with its seed, and leaves a directory that tells all`() throws {
      let directory =
        FileManager.default.temporaryDirectory.path
        + "/syncpay-bundle-\(UUID().uuidString.prefix(8))"
      defer { try? FileManager.default.removeItem(atPath: directory) }
      let canary = ["--canary", "bound-too-small"]
      let runs = try run(
        "syncpay-sim",
        ["--seeds", "1..200", "--failures", "1", "--bundles", directory] + canary, seconds: 300)
      try #require(runs.status == 1, "\(runs)")
      let name = try #require(
        try FileManager.default.contentsOfDirectory(atPath: directory).first)
      let seed = try #require(Int(name.dropFirst("seed-".count)))
      #expect(runs.output.contains("seed \(seed) FAILED"))
      func read(_ file: String) throws -> String {
        try String(contentsOfFile: "\(directory)/\(name)/\(file)", encoding: .utf8)
      }
      let story = try read("README.txt")
      #expect(story.contains("replay: syncpay-sim --seed \(seed) --trace"))
      _ = try JSON(try read("options.json"))
      let trace = try read("trace.txt")
      #expect(trace.contains("VIOLATION"))
      #expect(try read("timeline.txt").split(separator: "\n").count > 3)
      #expect(
        FileManager.default.fileExists(atPath: "\(directory)/\(name)/node1/log"))

      // The same seed is the same world, to the last step.
      let again = try run(
        "syncpay-sim", ["--seed", "\(seed)", "--trace", "--bundles", directory] + canary,
        seconds: 300)
      #expect(again.status == 1)
      let hash = try #require(
        story.split(separator: "\n").first { $0.hasPrefix("trace hash") })
      #expect(again.output.contains(hash))
      #expect(again.output.contains(trace.split(separator: "\n").last ?? "-"))
    }
  }
}
