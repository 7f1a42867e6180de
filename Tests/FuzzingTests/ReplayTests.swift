import Foundation
import Fuzzing
import Testing

/// What the fuzzer kept (`tools/fuzz.sh`): inputs that together reach all that it has reached.
@Suite struct ReplayTests {
  /// Where the package is: this file lies in `Tests/FuzzingTests`.
  static let root: String = {
    let environment = ProcessInfo.processInfo.environment
    if let given = environment["SYNCPAY_SOURCE"], !given.isEmpty { return given }
    let own = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    return own.deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path
  }()

  static func inputs(_ target: FuzzTarget) -> [[UInt8]] {
    let folder = "\(root)/data/fuzz/\(target.rawValue)"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().map { name in
      FileManager.default.contents(atPath: "\(folder)/\(name)").map { [UInt8]($0) } ?? []
    }
  }

  @Test(arguments: FuzzTarget.allCases)
  func `every input of the corpus keeps every property`(target: FuzzTarget) {
    let inputs = Self.inputs(target)
    #expect(inputs.count > 10, "the corpus of \(target.rawValue) is there")
    for input in inputs { input.withUnsafeBytes { target.run($0) } }
  }

  @Test(arguments: FuzzTarget.allCases)
  func `every seed keeps every property, whole, cut short and with a bit turned`(
    target: FuzzTarget
  ) {
    for seed in target.seeds {
      seed.withUnsafeBytes { target.run($0) }
      for step in 1...8 {
        let end = seed.count * step / 9
        Array(seed[..<end]).withUnsafeBytes { target.run($0) }
        guard end < seed.count else { continue }
        var turned = seed
        turned[end] ^= 1 << UInt8(step - 1)
        turned.withUnsafeBytes { target.run($0) }
      }
    }
  }
}
