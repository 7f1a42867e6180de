package import Bytes
package import Evidence
package import SegmentLog

/// A signed checkpoint in a file.
package struct FoundCheckpoint: Hashable, Sendable {
  /// The file.
  package let path: String
  /// The note.
  package let note: SignedNote
  /// What is signed.
  package let checkpoint: LogCheckpoint
  /// Whose signatures are under it and right, by the names of a policy.
  package let signers: [String]
  /// Why the policy does not trust it; nil where it does.
  package let distrust: EvidenceError?
}

/// Signed checkpoints that were found, and the policy that they are judged by.
package struct SignedCheckpoints: Sendable {
  /// Most bytes of a checkpoint's or a policy's file.
  private static let fileByteCountMax = 64 << 10
  /// A node's evidence in its data directory.
  private static let directoryName = "evidence"
  private static let policyFileName = "policy"

  /// Whose signatures count; nil where no policy was given and none is beside the logs.
  package let policy: TrustPolicy?
  /// Where the policy is from, if it was not given: whoever can change the log may have changed it too.
  package let policyFoundAt: String?
  /// All that was found.
  package private(set) var found: [FoundCheckpoint] = []
  /// Files that are no checkpoints.
  package private(set) var problems: [String] = []

  /// The checkpoints beside nodes' logs, and those in `files`, judged by the policy in `policyPath`, or
  /// else by the first beside a log.
  package init(
    beside directories: [String], and paths: [String] = [], policyPath: String?,
    in files: some LogFileSystem
  ) throws(AuditError) {
    var policy: (policy: TrustPolicy, foundAt: String?)?
    if let policyPath {
      policy = (try Self.policy(policyPath, in: files), nil)
    }
    var all = paths
    for directory in directories {
      let evidence = "\(directory)/\(Self.directoryName)"
      guard let names = try? files.list(evidence) else { continue }
      if policy == nil, names.contains(Self.policyFileName) {
        let path = "\(evidence)/\(Self.policyFileName)"
        policy = (try Self.policy(path, in: files), path)
      }
      all += names.filter { $0.hasSuffix(LogCheckpoint.fileSuffix) }.map { "\(evidence)/\($0)" }
    }
    self.policy = policy?.policy
    policyFoundAt = policy?.foundAt
    for path in all {
      do throws(EvidenceError) {
        let text = try Self.text(path, in: files)
        found.append(try Self.judge(SignedNote(parsing: text), path, self.policy))
      } catch {
        problems.append("\(path): \(error.sentence)")
      }
    }
  }

  /// Those beside one node's log, and those that were given.
  func of(_ directory: String, and paths: [String]) -> [FoundCheckpoint] {
    found.filter {
      $0.path.hasPrefix("\(directory)/\(Self.directoryName)/") || paths.contains($0.path)
    }
  }

  /// Reads a policy's file.
  package static func policy(
    _ path: String, in files: some LogFileSystem
  ) throws(AuditError) -> TrustPolicy {
    do throws(EvidenceError) {
      return try TrustPolicy(parsing: try text(path, in: files))
    } catch {
      throw .evidence(path, error)
    }
  }

  /// Reads a checkpoint's file, and judges it.
  package static func read(
    _ path: String, under policy: TrustPolicy?, in files: some LogFileSystem
  ) throws(AuditError) -> FoundCheckpoint {
    do throws(EvidenceError) {
      return try judge(SignedNote(parsing: try text(path, in: files)), path, policy)
    } catch {
      throw .evidence(path, error)
    }
  }

  /// A file of evidence as text. One that cannot be read is no evidence.
  static func text(_ path: String, in files: some LogFileSystem) throws(EvidenceError) -> String {
    guard let file = try? files.open(path, .read),
      let bytes = try? file.read(at: 0, count: fileByteCountMax),
      let text = String(validating: bytes, as: UTF8.self)
    else { throw .unreadable }
    return text
  }

  private static func judge(
    _ note: SignedNote, _ path: String, _ policy: TrustPolicy?
  ) throws(EvidenceError) -> FoundCheckpoint {
    let checkpoint = try LogCheckpoint(note)
    var signers: [String] = []
    for (name, key) in policy?.witnesses ?? []
    where (try? key.time(ofSignatureUnder: note)) ?? nil != nil {
      signers.append(name)
    }
    var distrust: EvidenceError?
    if let policy {
      do throws(EvidenceError) { _ = try policy.verify(note) } catch { distrust = error }
    }
    return FoundCheckpoint(
      path: path, note: note, checkpoint: checkpoint, signers: signers, distrust: distrust)
  }
}

/// A node that has signed two histories: either file proves, with the other, that it did.
package struct Equivocation: Hashable, Sendable {
  /// Whose key, by its name.
  package let name: String
  /// The first batch at which what it signed differs.
  package let index: LogIndex
  /// The two files.
  package let paths: [String]

  /// Who, where, and in which files.
  package var sentence: String {
    "\(name) equivocates: at index \(index.rawValue) it has signed both \(paths[0]) and \(paths[1]), which"
      + " tell of different logs"
  }
}

extension SignedCheckpoints {
  /// Every key that has signed two texts for one batch, or two roots for one size.
  package var equivocations: [Equivocation] {
    var found: [Equivocation] = []
    for name in Set(self.found.flatMap(\.signers)).sorted() {
      var known: [LogIndex: FoundCheckpoint] = [:]
      let signed = self.found.filter { $0.signers.contains(name) }
        .sorted { ($0.checkpoint.index, $0.path) < ($1.checkpoint.index, $1.path) }
      for next in signed {
        if let other = known[next.checkpoint.index], other.note.text != next.note.text {
          found.append(
            Equivocation(
              name: name, index: next.checkpoint.index, paths: [other.path, next.path]))
          break
        }
        known[next.checkpoint.index] = next
      }
    }
    return found
  }
}

extension EvidenceError {
  /// What is wrong, in words.
  package var sentence: String {
    switch self {
    case .malformedNote: "it is no signed note"
    case .malformedCheckpoint: "it is no checkpoint of a syncpay log"
    case .malformedProof: "it is no proof (c2sp.org/tlog-proof)"
    case .malformedKey: "it is no verifier key"
    case .malformedPolicy(let line): "it is no trust policy: line \(line) is wrong"
    case .falseSignature(let name): "a signature that is said to be \(name)'s is not"
    case .untrustedLog(let origin):
      "no key that the policy trusts has signed for the log \(origin)"
    case .tooFewSignatures: "fewer trusted nodes have signed it than the policy demands"
    case .notIncluded: "the event is not in the log that the checkpoint tells of"
    case .notConsistent: "it does not show that the older log is the beginning of the newer one"
    case .unreadable: "it cannot be read as text"
    }
  }
}
