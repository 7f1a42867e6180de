import Foundation

/// One Swift file: its lines as they are, and its lines without comments and literals.
struct SourceFile: Sendable {
  /// From the root of the package: `Sources/Raft/RaftNode.swift`.
  let path: String
  let lines: [String]
  /// As long as `lines`; comments and the insides of string literals are blanks.
  let code: [String]

  init(path: String, text: String) {
    self.path = path
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    code = Blanker.blanked(text)
  }

  /// The target the file lies in.
  var target: String { String(path.split(separator: "/").dropFirst().first ?? "") }

  /// The modules the file imports, and on which line.
  var imports: [(module: String, line: Int)] {
    code.enumerated().compactMap { number, line in
      var words = line.split(separator: " ").map(String.init)[...]
      while let word = words.first, word != "import" {
        guard word.hasPrefix("@") || SourceFile.accessWords.contains(word) else { return nil }
        words = words.dropFirst()
      }
      guard words.count >= 2 else { return nil }
      words = words.dropFirst()
      if let kind = words.first, ["struct", "class", "enum", "func", "protocol"].contains(kind) {
        words = words.dropFirst()
      }
      return words.first.map { (String($0.split(separator: ".")[0]), number + 1) }
    }
  }

  static let accessWords: Set<String> = [
    "public", "package", "internal", "private", "fileprivate", "open",
  ]

  /// `path:line`.
  func place(_ line: Int) -> String { "\(path):\(line)" }
}

extension String {
  /// Whether `token` stands in it as whole words: not inside a longer name.
  func hasToken(_ token: String) -> Bool {
    var rest = self[...]
    while let range = rest.firstRange(of: token) {
      let before = range.lowerBound == startIndex ? nil : self[index(before: range.lowerBound)]
      let after = range.upperBound == endIndex ? nil : self[range.upperBound]
      let beginsInside =
        (token.first?.isNamePart ?? false) && (before?.isNamePart ?? false)
      let endsInside = (token.last?.isNamePart ?? false) && (after?.isNamePart ?? false)
      if !beginsInside && !endsInside { return true }
      rest = rest[range.upperBound...]
    }
    return false
  }

  var trimmed: String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}

extension Character {
  var isNamePart: Bool { isLetter || isNumber || self == "_" }
}

/// Takes comments and literals out of Swift source, keeping every line break.
private struct Blanker {
  private let bytes: [UInt8]
  private var place = 0
  private var result: [UInt8] = []

  static func blanked(_ text: String) -> [String] {
    var blanker = Blanker(bytes: Array(text.utf8))
    blanker.code(untilParenthesis: false)
    return String(decoding: blanker.result, as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private func sees(_ text: StaticString) -> Bool {
    text.withUTF8Buffer { text in
      place + text.count <= bytes.count
        && bytes[place..<place + text.count].elementsEqual(text)
    }
  }

  /// Copies code; at a literal or comment, blanks it.
  private mutating func code(untilParenthesis: Bool) {
    var depth = 0
    while place < bytes.count {
      if sees("//") {
        while place < bytes.count, bytes[place] != 0x0a { skip() }
      } else if sees("/*") {
        while place < bytes.count, !sees("*/") { skip() }
        skip(2)
      } else if let hashes = literalHashes() {
        literal(hashes)
      } else {
        if bytes[place] == UInt8(ascii: "(") { depth += 1 }
        if bytes[place] == UInt8(ascii: ")") {
          if depth == 0 && untilParenthesis { return }
          depth -= 1
        }
        result.append(bytes[place])
        place += 1
      }
    }
  }

  /// How many `#` open a string literal here, or nil where there is none.
  private func literalHashes() -> Int? {
    var end = place
    while end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
    return end < bytes.count && bytes[end] == UInt8(ascii: "\"") ? end - place : nil
  }

  private mutating func literal(_ hashes: Int) {
    skip(hashes)
    let quotes = sees("\"\"\"") ? 3 : 1
    skip(quotes)
    while place < bytes.count, !ends(quotes, hashes) {
      if bytes[place] == UInt8(ascii: "\\"), followsHashes(hashes) {
        skip(1 + hashes)
        if place < bytes.count, bytes[place] == UInt8(ascii: "(") {
          skip()
          code(untilParenthesis: true)
        }
        skip()
      } else {
        if quotes == 1 && bytes[place] == 0x0a { return }
        skip()
      }
    }
    skip(quotes + hashes)
  }

  private func ends(_ quotes: Int, _ hashes: Int) -> Bool {
    let end = place + quotes + hashes
    return end <= bytes.count
      && bytes[place..<place + quotes].allSatisfy { $0 == UInt8(ascii: "\"") }
      && bytes[place + quotes..<end].allSatisfy { $0 == UInt8(ascii: "#") }
  }

  private func followsHashes(_ hashes: Int) -> Bool {
    place + hashes < bytes.count
      && bytes[place + 1..<place + 1 + hashes].allSatisfy { $0 == UInt8(ascii: "#") }
  }

  private mutating func skip(_ count: Int = 1) {
    for _ in 0..<count where place < bytes.count {
      result.append(bytes[place] == 0x0a ? 0x0a : 0x20)
      place += 1
    }
  }
}

/// The package's files as they lie on disk.
enum SourceTree {
  /// Where the package is: this file lies in `Tests/SourceTests`.
  static let root: String = {
    let environment = ProcessInfo.processInfo.environment
    if let given = environment["SYNCPAY_SOURCE"], !given.isEmpty { return given }
    let own = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    return own.deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path
  }()

  /// Every path under `Sources`, from the root, in order.
  static let paths: [String] = {
    let base = root + "/Sources"
    let all = FileManager.default.enumerator(atPath: base)?.compactMap { $0 as? String } ?? []
    return all.sorted().map { "Sources/" + $0 }
  }()

  /// Every Swift file under `Sources`.
  static let files: [SourceFile] = paths.filter { $0.hasSuffix(".swift") }.map {
    SourceFile(path: $0, text: text($0))
  }

  static func text(_ path: String) -> String {
    let data = FileManager.default.contents(atPath: root + "/" + path) ?? Data()
    return String(decoding: data, as: UTF8.self)
  }
}
