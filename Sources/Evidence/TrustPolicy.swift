import Bytes

/// A checkpoint that as many trusted keys have signed as a policy demands.
package struct TrustedCheckpoint: Hashable, Sendable {
  /// What they signed.
  package let checkpoint: Checkpoint
  /// Who signed, by the policy's names, and when, seconds since 1970; in the policy's order.
  package let witnesses: [(name: String, time: UInt64)]

  /// Compares all.
  package static func == (left: Self, right: Self) -> Bool {
    left.checkpoint == right.checkpoint
      && left.witnesses.map(\.name) == right.witnesses.map(\.name)
      && left.witnesses.map(\.time) == right.witnesses.map(\.time)
  }

  /// Hashes the checkpoint.
  package func hash(into hasher: inout Hasher) { hasher.combine(checkpoint) }
}

/// Whose signatures make a checkpoint worth believing (C2SP tlog-policy).
package struct TrustPolicy: Hashable, Sendable {
  /// Most bytes of a policy file.
  package static let byteCountMax = 64 << 10
  /// Most logs, witnesses and groups together.
  package static let nameCountMax = 1024
  private static let noneName = Name("none")

  /// What a name of the policy stands for.
  enum Member: Hashable, Sendable {
    case witness(NoteKey)
    case group(threshold: Int, members: [Name])
  }

  /// A name is its bytes: texts that look or count as equal are not the same name.
  struct Name: Hashable, Sendable {
    let bytes: [UInt8]

    init(_ text: some StringProtocol) { bytes = Array(text.utf8) }

    var text: String { String(decoding: bytes, as: UTF8.self) }
  }

  private var logs: [NoteKey] = []
  private var members: [Name: Member] = [:]
  /// The names of witnesses and groups, in the order of the file.
  private var names: [Name] = []
  /// The name that must have witnessed; nil where none needs to.
  private var quorum: Name?

  /// A policy of a log, which each of `logs` may sign, and members, of which `threshold` must have.
  package init(logs: [NoteKey], witnesses: [(name: String, key: NoteKey)], threshold: Int) {
    precondition((1...witnesses.count).contains(threshold), "a threshold that can be reached")
    self.logs = logs
    for witness in witnesses { add(Name(witness.name), .witness(witness.key)) }
    add(Self.groupName, .group(threshold: threshold, members: names))
    quorum = Self.groupName
  }

  private static let groupName = Name("members")

  /// Reads a policy file.
  package init(parsing text: String) throws(EvidenceError) {
    guard text.utf8.count <= Self.byteCountMax else { throw .malformedPolicy(line: 0) }
    var hasQuorum = false
    var usedNames: Set<Name> = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (place, line) in lines.enumerated() {
      let words = line.split { $0 == " " || $0 == "\t" }.map { String($0) }
      guard let first = words.first, !first.hasPrefix("#") else { continue }
      do throws(PolicyProblem) {
        guard line.utf8.allSatisfy({ $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7f) }) else {
          throw PolicyProblem()
        }
        switch first {
        case "log": try addLog(words)
        case "witness": try addWitness(words)
        case "group": try addGroup(words, &usedNames)
        case "quorum":
          guard !hasQuorum, words.count == 2 else { throw PolicyProblem() }
          hasQuorum = true
          let name = Name(words[1])
          guard name == Self.noneName || members[name] != nil else { throw PolicyProblem() }
          quorum = name == Self.noneName ? nil : name
        default: throw PolicyProblem()
        }
        guard members.count + logs.count <= Self.nameCountMax else { throw PolicyProblem() }
      } catch {
        throw .malformedPolicy(line: place + 1)
      }
    }
    guard hasQuorum else { throw .malformedPolicy(line: lines.count) }
  }

  /// A line says what it cannot.
  private struct PolicyProblem: Error {}

  private mutating func addLog(_ words: [String]) throws(PolicyProblem) {
    guard (2...3).contains(words.count), let key = try? NoteKey(parsing: words[1]),
      !logs.contains(where: { $0.publicKey == key.publicKey })
    else { throw PolicyProblem() }
    logs.append(key)
  }

  private mutating func addWitness(_ words: [String]) throws(PolicyProblem) {
    guard (3...4).contains(words.count), isFree(words[1]),
      let key = try? NoteKey(parsing: words[2]), key.kind == .cosignature
    else { throw PolicyProblem() }
    for case .witness(let other) in members.values where other.publicKey == key.publicKey {
      throw PolicyProblem()
    }
    add(Name(words[1]), .witness(key))
  }

  private mutating func addGroup(
    _ words: [String], _ usedNames: inout Set<Name>
  ) throws(PolicyProblem) {
    guard words.count >= 4, isFree(words[1]) else { throw PolicyProblem() }
    let listed = words[3...].map { Name($0) }
    for name in listed {
      guard members[name] != nil, usedNames.insert(name).inserted else { throw PolicyProblem() }
    }
    let threshold: Int
    switch words[2] {
    case "all": threshold = listed.count
    case "any": threshold = 1
    default:
      guard let number = DecimalLine.number(words[2]), number >= 1, number <= listed.count else {
        throw PolicyProblem()
      }
      threshold = Int(number)
    }
    add(Name(words[1]), .group(threshold: threshold, members: listed))
  }

  private mutating func add(_ name: Name, _ member: Member) {
    members[name] = member
    names.append(name)
  }

  /// The witnesses, in the order of the file.
  package var witnesses: [(name: String, key: NoteKey)] {
    names.compactMap { name in
      if case .witness(let key)? = members[name] { (name.text, key) } else { nil }
    }
  }

  private func isFree(_ text: String) -> Bool {
    Name(text) != Self.noneName && members[Name(text)] == nil
  }

  /// The policy as a file.
  package var description: String {
    var lines = logs.map { "log \($0.description)" }
    for name in names {
      switch members[name] {
      case .witness(let key): lines.append("witness \(name.text) \(key.description)")
      case .group(let threshold, let listed):
        lines.append(
          "group \(name.text) \(threshold) " + listed.map(\.text).joined(separator: " "))
      case nil: break
      }
    }
    lines.append("quorum \((quorum ?? Self.noneName).text)")
    return lines.map { $0 + "\n" }.joined()
  }

  /// Verifies that a trusted log has signed a checkpoint, and enough witnesses with it.
  package func verify(_ note: SignedNote) throws(EvidenceError) -> TrustedCheckpoint {
    let checkpoint = try Checkpoint(parsing: note.text)
    var isLogs = logs.isEmpty
    for log in logs where log.name == checkpoint.origin {
      if try log.time(ofSignatureUnder: note) != nil { isLogs = true }
    }
    guard isLogs else { throw .untrustedLog(origin: checkpoint.origin) }
    var witnesses: [(name: String, time: UInt64)] = []
    var present: Set<Name> = []
    for name in names {
      guard case .witness(let key)? = members[name],
        let time = try key.time(ofSignatureUnder: note)
      else { continue }
      witnesses.append((name.text, time))
      present.insert(name)
    }
    if let quorum {
      guard hasWitnessed(quorum, present) else { throw .tooFewSignatures }
    }
    return TrustedCheckpoint(checkpoint: checkpoint, witnesses: witnesses)
  }

  /// Groups name only what was named before them: this ends.
  private func hasWitnessed(_ name: Name, _ present: Set<Name>) -> Bool {
    switch members[name] {
    case .witness: present.contains(name)
    case .group(let threshold, let listed):
      listed.count { hasWitnessed($0, present) } >= threshold
    case nil: false
    }
  }
}
