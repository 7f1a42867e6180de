import Foundation
import Testing

/// The source itself keeps the house's rules (DESIGN, "The house"; CONVENTIONS).
@Suite struct SourceTests {
  private let files = SourceTree.files
  private let manifest = Manifest(SourceTree.text("Package.swift"))

  private func expectNone(_ violations: [String]) {
    for violation in violations { Issue.record("\(violation)") }
  }

  @Test func `the source is found`() {
    #expect(files.count > 100)
    #expect(manifest.dependencies.count > 12)
    #expect(manifest.dependencies["NodeServer"]?.contains("NIOCore") == true)
  }

  @Test func `imports go downward only`() { expectNone(files.flatMap(Rules.arrows)) }

  @Test func `every target has a level and every level's rules`() {
    for target in manifest.dependencies.keys.sorted() where !target.hasSuffix("Tests") {
      #expect(Rules.levels[target] != nil, "\(target) has no level in the table")
    }
  }

  @Test func `declared dependencies go downward only`() {
    for (target, dependencies) in manifest.dependencies.sorted(by: { $0.key < $1.key }) {
      guard let level = Rules.levels[target] else { continue }
      for dependency in dependencies.sorted() {
        guard let lower = Rules.levels[dependency],
          !Rules.arrowsWithinLevel.contains("\(target)→\(dependency)")
        else { continue }
        #expect(lower < level, "Package.swift: \(target) depends on \(dependency)")
      }
    }
  }

  @Test func `every import is declared in Package.swift`() {
    expectNone(files.flatMap { Rules.declared($0, manifest) })
  }

  @Test func `there is no Foundation below the server`() {
    expectNone(files.flatMap(Rules.foundation))
  }

  @Test func `nothing below the runtime reads a clock, a disk, a socket or chance`() {
    expectNone(files.flatMap { Rules.banned($0, Rules.impurities) })
  }

  @Test func `banned tokens have their replacements`() {
    expectNone(files.flatMap { Rules.banned($0, Rules.bans) })
  }

  @Test func `nothing is left unfinished`() { expectNone(files.flatMap(Rules.unfinished)) }

  @Test func `only the simulator names what is broken on purpose`() {
    expectNone(files.flatMap(Rules.misplacedCanaries))
    // A rule about names that nobody has would be none.
    for name in Rules.canaries.keys {
      #expect(files.contains { $0.code.contains { $0.hasToken(name) } }, "\(name)")
    }
  }

  @Test func `what the compiler must believe is proved in words`() {
    expectNone(files.flatMap(Rules.unproved))
  }

  @Test func `everything public or package is documented`() {
    expectNone(files.flatMap(Rules.undocumented))
  }

  @Test func `functions have at most 70 lines`() {
    expectNone(files.flatMap(Rules.longFunctions))
  }

  @Test func `files have at most 500 lines and none is dead`() {
    expectNone(files.flatMap(Rules.longFile))
  }

  @Test func `every file lies in a target`() {
    for path in SourceTree.paths where path.hasSuffix(".swift") {
      let parts = path.split(separator: "/")
      #expect(parts.count >= 3, "\(path) lies in no target")
      #expect(manifest.dependencies[String(parts[1])] != nil, "\(path) lies in no target")
    }
  }

  @Test func `the links of every page lead somewhere`() {
    let pages = SourceTree.paths.filter { $0.contains(".docc/") && $0.hasSuffix(".md") }
    let names = Set(pages.map { String($0.split(separator: "/").last ?? "") })
    for page in pages {
      expectNone(
        Rules.deadLinks(page, text: SourceTree.text(page)) { target in
          names.contains(target)
            || FileManager.default.fileExists(atPath: SourceTree.root + "/" + target)
        })
    }
  }
}

/// Every rule finds what it is there for: a rule that cannot fail is no rule.
@Suite struct RuleTests {
  private func file(_ text: String, in target: String = "Raft") -> SourceFile {
    SourceFile(path: "Sources/\(target)/A.swift", text: text)
  }

  @Test func `an import upward or sideways is found`() {
    #expect(Rules.arrows(file("package import Ledger")).count == 1)
    #expect(Rules.arrows(file("import HybridTime")).count == 1)
    #expect(Rules.arrows(file("import Bytes")).isEmpty)
    #expect(Rules.arrows(file("import HybridTime", in: "ClockSync")).isEmpty)
    #expect(Rules.arrows(file("// import Ledger\nlet a = \"import Ledger\"")).isEmpty)
  }

  @Test func `Foundation and undeclared imports are found`() {
    #expect(Rules.foundation(file("import Foundation")).count == 1)
    #expect(Rules.foundation(file("import FoundationEssentials")).count == 1)
    #expect(Rules.foundation(file("import Foundation", in: "NodeServer")).isEmpty)
    let manifest = Manifest(
      """

      let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
          library("Raft", ["Bytes", nioCore]),
      """)
    #expect(Rules.declared(file("import Bytes\nimport NIOCore"), manifest).isEmpty)
    #expect(Rules.declared(file("import NIOPosix"), manifest).count == 1)
    #expect(Rules.declared(file("import Bytes", in: "Other"), manifest).count == 1)
  }

  @Test(arguments: [
    "fatalError()", "let a = try! b()", "let a = b as! C", "print(1)", "let now = Date()",
    "DispatchQueue.main", "try await Task.sleep(for: a)",
  ])
  func `a banned token is found`(line: String) {
    #expect(Rules.banned(file(line), Rules.bans).count == 1)
    #expect(Rules.banned(file("// \(line)\nlet a = \"\(line)\""), Rules.bans).isEmpty)
  }

  @Test func `a token inside a name or a method of ours is none`() {
    for line in ["printer(1)", "makeDate(1)", "writer.print(1)", "func print(_ a: Int) {"] {
      #expect(Rules.banned(file(line), Rules.bans).isEmpty, "\(line)")
    }
    #expect(Rules.banned(file("print(1)", in: "syncpay"), Rules.bans).isEmpty)
  }

  @Test(arguments: [
    "clock_gettime(a, b)", "let a = open(path, 0)", "Glibc.open(path, 0)", "socket(1, 2, 3)",
    "var g = SystemRandomNumberGenerator()", "let t = ContinuousClock.now",
  ])
  func `an impurity below the runtime is found`(line: String) {
    #expect(Rules.banned(file(line), Rules.impurities).count == 1)
    #expect(Rules.banned(file(line, in: "HostFiles"), Rules.impurities).isEmpty)
  }

  @Test func `a canary named elsewhere is found`() {
    #expect(
      Rules.misplacedCanaries(file("a.canary = .appliesAgain", in: "NodeServer")).count == 1)
    #expect(Rules.misplacedCanaries(file("a.canary = .appliesAgain", in: "Simulation")).isEmpty)
  }

  @Test func `an opening that is a method of ours is no impurity`() {
    #expect(Rules.banned(file("try files.open(a)\nfunc open(_ a: Int)"), Rules.impurities).isEmpty)
  }

  @Test func `an unproved claim and unfinished work are found`() {
    #expect(Rules.unproved(file("final class A: @unchecked Sendable {}")).count == 1)
    #expect(
      Rules.unproved(file("/// Sendable: touched under its lock.\nclass A: @unchecked Sendable {}"))
        .isEmpty)
    #expect(Rules.unfinished(file("// TODO: more")).count == 1)
  }

  @Test(arguments: [
    "public struct A {}", "package init?(_ a: Int) {}", "  package static func a() {}",
    "@inlinable public var a: Int { 1 }", "package private(set) var a = 1",
    "  @inline(__always)\n  package mutating func a() {}", "package final class A {}",
  ])
  func `a declaration without a document is found`(text: String) {
    #expect(Rules.undocumented(file(text)).count == 1)
    #expect(Rules.undocumented(file("/// What it is.\n" + text)).isEmpty)
  }

  @Test func `an import or an own declaration needs no document`() {
    #expect(Rules.undocumented(file("package import Bytes\nstruct A {}\nlet package = 1")).isEmpty)
  }

  @Test func `a long function, a long file and a dead file are found`() {
    let body = String(repeating: "  a()\n", count: 69)
    #expect(Rules.longFunctions(file("func a(b: () -> Int = { 1 }) {\n\(body)}")).count == 1)
    let shorter = String(repeating: "  a()\n", count: 68)
    #expect(Rules.longFunctions(file("func a() {\n\(shorter)}")).isEmpty)
    #expect(Rules.longFunctions(file("protocol P {\n  func a()\n\n\(body)}")).isEmpty)
    #expect(Rules.longFile(file(String(repeating: "a()\n", count: 501))).count == 1)
    #expect(Rules.longFile(file("// nothing\nimport Bytes\n")).count == 1)
    #expect(Rules.longFile(file("a()\nb()\nc()\n")).isEmpty)
  }

  @Test func `comments and literals are no code`() {
    let source = file(
      "let a = \"x \\(b(\"y\")) /* z\" // c\nlet d = #\"\"\"\n\"\"\" fatalError\n\"\"\"#\ne()")
    #expect(source.code.count == source.lines.count)
    #expect(source.code[0].contains("b("))
    #expect(!source.code[0].contains("x") && !source.code[0].contains("z"))
    #expect(!source.code.joined().contains("fatalError"))
    #expect(source.code[4] == "e()")
  }

  @Test func `a link that leads nowhere is found`() {
    let text = "See [a](Other.md), [b](https://example.org/x) and <doc:Format>."
    #expect(Rules.deadLinks("S/A.docc/P.md", text: text) { _ in false }.count == 2)
    #expect(
      Rules.deadLinks("S/A.docc/P.md", text: text) {
        ["S/A.docc/Other.md", "Format.md"].contains($0)
      }.isEmpty)
  }
}
