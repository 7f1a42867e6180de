import Foundation
import Testing

/// `Rules.md` names tests: each must exist.
@Suite struct RulesPageTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

  /// What stands in backquotes in the last column of a table.
  private static func named(in page: String) -> [String] {
    page.split(separator: "\n").filter { $0.hasPrefix("|") }.flatMap { row in
      let cell = row.split(separator: "|").last ?? ""
      let parts = cell.split(separator: "`", omittingEmptySubsequences: false)
      return parts.enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
  }

  @Test func `every test that the page of rules names exists`() throws {
    let page = Self.folder.appending(path: "../../Sources/Raft/Raft.docc/Rules.md").standardized
    let names = Self.named(in: try String(contentsOf: page, encoding: .utf8))
    #expect(names.count > 60)
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
    let source = try files.filter { $0.hasSuffix(".swift") }.map {
      try String(contentsOf: Self.folder.appending(path: $0), encoding: .utf8)
    }.joined()
    for name in names {
      if name.hasSuffix(".txt") {
        let file = Self.folder.appending(path: "Transcripts/\(name)")
        #expect(FileManager.default.fileExists(atPath: file.path), "no transcript \(name)")
      } else {
        #expect(source.contains("func `\(name)`("), "no test `\(name)`")
      }
    }
  }

  @Test func `names are read from the last column alone`() {
    let page = "| `a` | b | `c, d`, `e` |\n`f`\n| --- | --- | --- |"
    #expect(Self.named(in: page) == ["c, d", "e"])
  }
}
