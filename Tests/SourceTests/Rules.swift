import Foundation

/// The house rules as functions from files to violations, so that each can be shown to find what it
/// is there for.
enum Rules {
  /// DESIGN, "The house": a target imports only targets of lower levels.
  static let levels: [String: Int] = [
    "CLZ4": 0, "CHost": 0, "Bytes": 1, "HybridTime": 2, "JSONText": 2, "ClockSync": 2, "Raft": 2,
    "Evidence": 2,
    "Ledger": 3, "SegmentLog": 3, "Timeline": 4, "Replica": 4, "HostFiles": 5,
    "NodeRuntime": 5, "Audit": 5, "NodeServer": 6, "Simulation": 6, "syncpayd": 7, "syncpay": 7,
    "syncpay-audit": 7, "syncpay-sim": 7, "syncpay-bench": 7, "Fuzzing": 7,
  ]
  /// Arrows within a level: a clock's samples carry stamps' readings.
  static let arrowsWithinLevel: Set<String> = ["ClockSync→HybridTime"]

  private static let levelRuntime = 5
  private static let levelServer = 6
  private static let levelCommands = 7

  /// Modules of the toolchain, which no package declares.
  static let toolchain: Set<String> = [
    "Swift", "Glibc", "Darwin", "Synchronization", "Foundation", "FoundationEssentials", "Dispatch",
  ]

  static func level(_ file: SourceFile) -> Int { levels[file.target] ?? levelCommands }

  // MARK: - Imports

  static func arrows(_ file: SourceFile) -> [String] {
    file.imports.compactMap { module, line in
      guard let to = levels[module], to >= level(file),
        !arrowsWithinLevel.contains("\(file.target)→\(module)")
      else { return nil }
      return "\(file.place(line)): \(file.target) (level \(level(file))) imports \(module)"
        + " (level \(to)); arrows go downward only"
    }
  }

  static func foundation(_ file: SourceFile) -> [String] {
    guard level(file) < levelServer else { return [] }
    return file.imports.filter { $0.module.hasPrefix("Foundation") || $0.module == "Dispatch" }
      .map {
        "\(file.place($0.line)): \($0.module) below the server;"
          + " Duration, RawSpan, Synchronization and Glibc are enough"
      }
  }

  static func declared(_ file: SourceFile, _ manifest: Manifest) -> [String] {
    guard let dependencies = manifest.dependencies[file.target] else {
      return ["\(file.path): Package.swift has no target \(file.target)"]
    }
    return file.imports.filter {
      !toolchain.contains($0.module) && !dependencies.contains($0.module)
    }.map { "\(file.place($0.line)): \(file.target) does not declare \($0.module)" }
  }

  // MARK: - Tokens

  /// A token that must not stand in code, where, and what stands there instead.
  struct Ban: Sendable {
    var token: String
    /// Targets of this level and above may use it.
    var allowedFrom: Int
    var instead: String

    init(_ token: String, allowedFrom: Int = .max, _ instead: String) {
      self.token = token
      self.allowedFrom = allowedFrom
      self.instead = instead
    }
  }

  static let bans: [Ban] = [
    Ban("fatalError", "preconditionFailure for our bugs, a typed error for all else"),
    Ban("try!", "do and catch, or a typed error"),
    Ban("as!", "a type that needs no cast"),
    Ban("print(", allowedFrom: levelCommands, "a logger, or a value that the command prints"),
    Ban("Date(", "nanoseconds since 1970 in a type of their own"),
    Ban("DispatchQueue", "an event loop, or NIOThreadPool"),
    Ban("Task.sleep", allowedFrom: levelServer, "ticks and deadlines as inputs"),
    Ban("Thread.sleep", "Task.sleep, or a deadline"),
    Ban("unowned(unsafe)", "a strong reference"),
    Ban("unsafeBitCast", "a load of the wanted type"),
  ]

  /// What reads a clock, a disk, a socket or the global random generator.
  static let impurities: [Ban] = [
    "clock_gettime", "gettimeofday", "ContinuousClock.now", "SuspendingClock", "mach_absolute_time",
    "open(", "openat(", "fopen(", "pread(", "pwrite(", "fsync(", "fdatasync(", "stat(",
    "socket(", "recv(", "sendto(", "getaddrinfo(", "getenv(", "SystemRandomNumberGenerator",
    "random()", "arc4random", "getrandom(", "usleep(", "Task.detached", "FileManager",
  ].map { Ban($0, allowedFrom: levelRuntime, "an input from the runtime, or a protocol") }

  static func banned(_ file: SourceFile, _ bans: [Ban]) -> [String] {
    var found: [String] = []
    // A file that declares a function of that name calls its own.
    let bans = bans.filter { ban in
      level(file) < ban.allowedFrom
        && !file.code.contains { $0.contains("func " + ban.token) }
    }
    for (number, line) in file.code.enumerated() {
      for ban in bans where isUsed(ban.token, in: line) {
        found.append("\(file.place(number + 1)): \(ban.token) here; instead: \(ban.instead)")
      }
    }
    return found
  }

  /// Whether a line uses a token as the function, type or word it is: a method of the same name on
  /// something of ours is another thing.
  private static func isUsed(_ token: String, in line: String) -> Bool {
    guard line.hasToken(token) else { return false }
    guard token.hasSuffix("(") else { return true }
    var rest = line[...]
    while let range = rest.firstRange(of: token) {
      let before = line[..<range.lowerBound]
      let isMethod = before.hasSuffix(".") && !before.hasSuffix("Glibc.")
      if !isMethod && !(before.last?.isNamePart ?? false) { return true }
      rest = rest[range.upperBound...]
    }
    return false
  }

  /// The simulator's faults on purpose, and the targets that may name them.
  static let canaries = [
    "commitsEarlierTerms": ["Raft", "Simulation"], "appliesAgain": ["Ledger", "Simulation"],
  ]

  static func misplacedCanaries(_ file: SourceFile) -> [String] {
    var found: [String] = []
    for (number, line) in file.code.enumerated() {
      for (name, targets) in canaries.sorted(by: { $0.key < $1.key })
      where line.hasToken(name) && !targets.contains(file.target) {
        found.append("\(file.place(number + 1)): \(name) is the simulator's alone")
      }
    }
    return found
  }

  static func unfinished(_ file: SourceFile) -> [String] {
    file.lines.enumerated().flatMap { number, line in
      ["TODO", "FIXME", "XXX:"].filter { line.hasToken($0) }.map {
        "\(file.place(number + 1)): \($0); finish it, or write down the decision"
      }
    }
  }

  /// What the compiler is told to believe must be proved beside it, in words.
  static func unproved(_ file: SourceFile) -> [String] {
    let claims = ["@unchecked Sendable", "nonisolated(unsafe)"]
    return file.code.enumerated().compactMap { number, line in
      guard let claim = claims.first(where: { line.contains($0) }) else { return nil }
      let near = file.lines[max(0, number - 8)...min(file.lines.count - 1, number + 3)]
      let proof = near.filter { $0.contains("//") }.joined(separator: " ")
      let speaks = ["Sendable", "unsafe", "owner", "lock", "only on", "never changes", "thread"]
      return speaks.contains { proof.contains($0) }
        ? nil : "\(file.place(number + 1)): \(claim) without a comment that proves it"
    }
  }

  // MARK: - Documents

  static func undocumented(_ file: SourceFile) -> [String] {
    file.code.enumerated().compactMap { number, line in
      guard isExportedDeclaration(line), !hasDocument(above: number, in: file) else { return nil }
      return "\(file.place(number + 1)): no document on \(line.trimmed.prefix(60))"
    }
  }

  private static let declarationWords: Set<String> = [
    "struct", "class", "enum", "protocol", "actor", "func", "var", "let", "init", "init?", "case",
    "subscript", "typealias", "associatedtype", "macro",
  ]

  private static func isExportedDeclaration(_ line: String) -> Bool {
    var isExported = false
    for word in line.split(whereSeparator: { $0 == " " || $0 == "(" || $0 == "<" }) {
      if word == "public" || word == "package" || word == "open" {
        isExported = true
      } else if declarationWords.contains(String(word)) {
        return isExported
      } else if word == "import" || word == "extension" {
        return false
      } else if !word.hasPrefix("@"), !modifiers.contains(String(word)) {
        return false
      }
    }
    return false
  }

  private static let modifiers: Set<String> = [
    "static", "final", "mutating", "nonmutating", "borrowing", "consuming", "override", "lazy",
    "weak", "indirect", "convenience", "required", "internal", "private", "fileprivate", "set)",
    "nonisolated", "unsafe)", "__always)", "prefix", "postfix", "infix", "class", "isolated",
  ]

  private static func hasDocument(above number: Int, in file: SourceFile) -> Bool {
    var place = number - 1
    while place >= 0 {
      let line = file.lines[place].trimmed
      if line.hasPrefix("///") { return true }
      // Attributes, and comments between document and declaration.
      guard line.hasPrefix("@") || line.hasPrefix("//") || line.hasPrefix("#if") else {
        return false
      }
      place -= 1
    }
    return false
  }

  // MARK: - Sizes

  static let functionLineCountMax = 70
  static let fileLineCountMax = 500
  static let fileLineCountMin = 3

  static func longFile(_ file: SourceFile) -> [String] {
    let count = file.lines.count - (file.lines.last == "" ? 1 : 0)
    if count > fileLineCountMax { return ["\(file.path): \(count) lines; split it"] }
    let solid = file.code.filter { !$0.trimmed.isEmpty }.count
    return solid < fileLineCountMin ? ["\(file.path): \(solid) lines of code; it is dead"] : []
  }

  static func longFunctions(_ file: SourceFile) -> [String] {
    let starts = ["func ", "init(", "init?(", "init<", "deinit", "subscript(", "subscript<"]
    return file.code.enumerated().compactMap { number, line in
      let text = line.trimmed
      guard starts.contains(where: { text.hasPrefix($0) || text.contains(" " + $0) }),
        !text.contains("."), let end = end(ofBodyFrom: number, in: file)
      else { return nil }
      let count = end - number + 1
      return count > functionLineCountMax
        ? "\(file.place(number + 1)): a function of \(count) lines; split it" : nil
    }
  }

  /// The line of the brace that closes the body which opens after `start`; nil where a declaration
  /// has no body.
  private static func end(ofBodyFrom start: Int, in file: SourceFile) -> Int? {
    var (depth, parentheses, hasOpened) = (0, 0, false)
    for number in start..<file.code.count {
      for character in file.code[number] {
        switch character {
        case "(", "[": parentheses += 1
        case ")", "]": parentheses -= 1
        case "{":
          depth += 1
          hasOpened = hasOpened || parentheses == 0
        case "}": depth -= 1
        default: break
        }
        if hasOpened && depth == 0 { return number }
        if depth < 0 { return nil }
      }
      let next = number + 1 < file.code.count ? file.code[number + 1].trimmed : ""
      if !hasOpened && parentheses == 0 && next.isEmpty { return nil }
    }
    return nil
  }

  // MARK: - Pages

  /// Links of a page that lead to no file: `[text](path)` and `<doc:Page>`.
  static func deadLinks(_ page: String, text: String, exists: (String) -> Bool) -> [String] {
    let folder = page.split(separator: "/").dropLast().joined(separator: "/")
    var found: [String] = []
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      for link in line.split(separator: "](").dropFirst() {
        let target = String(link.prefix { $0 != ")" && $0 != " " && $0 != "#" })
        let isOutside = target.contains("://") || target.hasPrefix("mailto:") || target.isEmpty
        if !isOutside && !exists(folder + "/" + target) {
          found.append("\(page):\(number + 1): the link to \(target) leads nowhere")
        }
      }
      for link in line.split(separator: "<doc:", omittingEmptySubsequences: false).dropFirst() {
        let name = String(link.prefix { $0 != ">" && $0 != "#" && $0 != "/" })
        if !exists("\(name).md") {
          found.append("\(page):\(number + 1): there is no page \(name)")
        }
      }
    }
    return found
  }
}

/// What Package.swift declares, read from its text: the house's helpers name a target and a list.
struct Manifest {
  /// Modules that each target may import.
  private(set) var dependencies: [String: Set<String>] = [:]

  init(_ text: String) {
    var products: [String: String] = [:]
    for part in text.components(separatedBy: "\nlet ").dropFirst() {
      guard let equals = part.firstRange(of: " = Target.Dependency.product("),
        let name = part[equals.upperBound...].components(separatedBy: "\"").dropFirst().first
      else { continue }
      products[String(part[..<equals.lowerBound])] = name
    }
    for helper in ["library(", "command(", "tests("] {
      for part in text.components(separatedBy: "    " + helper).dropFirst() {
        let declaration = part.prefix { $0 != "]" && $0 != ")" }
        let words = declaration.split { !$0.isNamePart && $0 != "-" && $0 != "\"" }.map(String.init)
        guard let first = words.first, first.hasPrefix("\"") else { continue }
        let name = first.filter { $0 != "\"" }
        dependencies[name] = Set(
          words.dropFirst().map {
            $0.hasPrefix("\"") ? $0.filter { $0 != "\"" } : products[$0] ?? $0
          })
      }
    }
    for part in text.components(separatedBy: ".systemLibrary(name: \"").dropFirst() {
      dependencies[String(part.prefix { $0 != "\"" })] = []
    }
  }
}
