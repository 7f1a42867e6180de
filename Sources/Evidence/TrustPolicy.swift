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
  private static let noneName = "none"

  /// A name of the policy.
  enum Member: Hashable, Sendable {
    case witness(NoteKey)
    case group(threshold: Int, members: [String])
  }

  private var logs: [NoteKey] = []
  private var members: [String: Member] = [:]
  /// The witnesses' names, in the order of the file.
  private var witnessNames: [String] = []
  /// The name that must have witnessed; nil where none needs to.
  private var quorum: String?

  /// A policy of one log and members, of which `threshold` must have signed.
  package init(log: NoteKey, witnesses: [(name: String, key: NoteKey)], threshold: Int) {
    precondition((1...witnesses.count).contains(threshold), "a threshold that can be reached")
    logs = [log]
    witnessNames = witnesses.map(\.name)
    for witness in witnesses { members[witness.name] = .witness(witness.key) }
    members[Self.groupName] = .group(threshold: threshold, members: witnessNames)
    quorum = Self.groupName
  }

  private static let groupName = "members"

  /// Reads a policy file.
  package init(parsing text: String) throws(EvidenceError) {
    guard text.utf8.count <= Self.byteCountMax else { throw .malformedPolicy(line: 0) }
    var hasQuorum = false
    var usedNames: Set<String> = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (place, line) in lines.enumerated() {
      let words = line.split { $0 == " " || $0 == "\t" }.map { String($0) }
      guard let first = words.first, !first.hasPrefix("#") else { continue }
      do throws(PolicyProblem) {
        switch first {
        case "log": try addLog(words)
        case "witness": try addWitness(words)
        case "group": try addGroup(words, &usedNames)
        case "quorum":
          guard !hasQuorum, words.count == 2 else { throw PolicyProblem() }
          hasQuorum = true
          guard words[1] == Self.noneName || members[words[1]] != nil else { throw PolicyProblem() }
          quorum = words[1] == Self.noneName ? nil : words[1]
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
      let key = try? NoteKey(parsing: words[2])
    else { throw PolicyProblem() }
    for case .witness(let other) in members.values where other.publicKey == key.publicKey {
      throw PolicyProblem()
    }
    members[words[1]] = .witness(key)
    witnessNames.append(words[1])
  }

  private mutating func addGroup(
    _ words: [String], _ usedNames: inout Set<String>
  ) throws(PolicyProblem) {
    guard words.count >= 4, isFree(words[1]) else { throw PolicyProblem() }
    let names = Array(words[3...])
    for name in names {
      guard members[name] != nil, usedNames.insert(name).inserted else { throw PolicyProblem() }
    }
    let threshold: Int
    switch words[2] {
    case "all": threshold = names.count
    case "any": threshold = 1
    default:
      guard let number = DecimalLine.number(words[2]), number >= 1, number <= names.count else {
        throw PolicyProblem()
      }
      threshold = Int(number)
    }
    members[words[1]] = .group(threshold: threshold, members: names)
  }

  private func isFree(_ name: String) -> Bool { name != Self.noneName && members[name] == nil }

  /// The policy as a file.
  package var description: String {
    var lines = logs.map { "log \($0.description)" }
    for name in witnessNames {
      guard case .witness(let key)? = members[name] else { continue }
      lines.append("witness \(name) \(key.description)")
    }
    if let quorum, case .group(let threshold, let names)? = members[quorum] {
      lines.append("group \(quorum) \(threshold) " + names.joined(separator: " "))
    }
    lines.append("quorum \(quorum ?? Self.noneName)")
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
    for name in witnessNames {
      guard case .witness(let key)? = members[name],
        let time = try key.time(ofSignatureUnder: note)
      else { continue }
      witnesses.append((name, time))
    }
    if let quorum {
      guard hasWitnessed(quorum, Set(witnesses.map(\.name))) else { throw .tooFewSignatures }
    }
    return TrustedCheckpoint(checkpoint: checkpoint, witnesses: witnesses)
  }

  /// Groups name only what was named before them: this ends.
  private func hasWitnessed(_ name: String, _ present: Set<String>) -> Bool {
    switch members[name] {
    case .witness: present.contains(name)
    case .group(let threshold, let names):
      names.count { hasWitnessed($0, present) } >= threshold
    case nil: false
    }
  }
}
