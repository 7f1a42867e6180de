package import Bytes
package import Evidence
import Replica
package import SegmentLog

/// Why a node's key cannot be used.
package enum EvidenceProblem: Error, Hashable, Sendable {
  /// A file operation failed.
  case file(FileError)
  /// The file is not what a node writes.
  case malformed(path: String)
}

/// A node's evidence: `evidence/` in its data directory, with its private key, the other nodes' public
/// keys, and signed checkpoints.
package struct EvidenceDirectory<FileSystem: LogFileSystem>: Sendable {
  /// The private key: one line, ``keyWord``, a space, and the seed in base 64.
  private static var keyFileName: String { "key" }
  private static var keyWord: String { "syncpay-ed25519-seed" }
  /// The nodes' public keys, as a trust policy (C2SP tlog-policy).
  private static var policyFileName: String { "policy" }
  /// The newest checkpoint; those of segments' ends have the names of their batches.
  private static var newestFileName: String { "newest.checkpoint" }
  private static var partialSuffix: String { ".partial" }
  private static var fileByteCountMax: Int { TrustPolicy.byteCountMax }

  private let files: FileSystem
  private let path: String
  private let cluster: ClusterID
  private let node: NodeID

  /// The evidence of a node in the data directory `dataDirectory`.
  package init(
    _ files: FileSystem, dataDirectory: String, cluster: ClusterID, node: NodeID
  ) {
    self.files = files
    path = dataDirectory + "/evidence"
    self.cluster = cluster
    self.node = node
  }

  /// The node's key, made from `newSeed` where it has none.
  package func signer(newSeed: [UInt8]) throws(EvidenceProblem) -> NodeSigner {
    let name = path + "/" + Self.keyFileName
    let signer: NodeSigner?
    if let text = try read(Self.keyFileName) {
      let words = text.dropLast(text.hasSuffix("\n") ? 1 : 0).split(separator: " ")
      guard words.count == 2, words[0] == Self.keyWord,
        let seed = [UInt8](base64: String(words[1]))
      else { throw .malformed(path: name) }
      signer = NodeSigner(seed: seed, node: node, cluster: cluster)
    } else {
      try write("\(Self.keyWord) \(newSeed.base64)\n", Self.keyFileName, mode: .createSecret)
      signer = NodeSigner(seed: newSeed, node: node, cluster: cluster)
    }
    guard let signer else { throw .malformed(path: name) }
    return signer
  }

  /// The other nodes' keys, as far as this one has heard of them.
  package func keys() throws(EvidenceProblem) -> [NodeID: NodeKeys] {
    guard let text = try read(Self.policyFileName) else { return [:] }
    guard let policy = try? TrustPolicy(parsing: text) else {
      throw .malformed(path: path + "/" + Self.policyFileName)
    }
    var keys: [NodeID: NodeKeys] = [:]
    let prefix = LogCheckpoint.origin(of: cluster) + "/node"
    for (_, key) in policy.witnesses where key.name.hasPrefix(prefix) {
      guard let number = UInt16(key.name.dropFirst(prefix.count)) else { continue }
      let node = NodeID(number)
      keys[node] = NodeKeys(publicKey: key.publicKey, node: node, cluster: cluster)
    }
    return keys
  }

  /// Remembers the nodes' keys.
  package func write(_ keys: [NodeID: NodeKeys]) throws(EvidenceProblem) {
    guard let policy = TrustPolicy(keys, voters: keys.keys.sorted()) else { return }
    try write(policy.description, Self.policyFileName)
  }

  /// The newest checkpoint that was kept.
  package func newest() -> SignedNote? {
    guard let text = try? read(Self.newestFileName) else { return nil }
    return try? SignedNote(parsing: text)
  }

  /// Keeps a signed checkpoint as the newest one, and for good where it is of a segment's end. The newest
  /// is not synced: there is another one in a second.
  package func write(
    _ signed: CosignedCheckpoint, asNewest isNewest: Bool
  ) throws(EvidenceProblem) {
    let text = signed.note.description
    if signed.endsSegment {
      try write(text, LogCheckpoint.fileName(at: signed.checkpoint.index))
    }
    if isNewest { try write(text, Self.newestFileName, isSynced: false) }
  }

  private func read(_ name: String) throws(EvidenceProblem) -> String? {
    let full = path + "/" + name
    return try evidenceFiles { () throws(FileError) -> String? in
      try files.createDirectory(path)
      guard try files.list(path).contains(name) else { return nil }
      let file = try files.open(full, .read)
      let bytes = try file.read(at: 0, count: Self.fileByteCountMax)
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  /// Writes a file under its name only when it is whole, in place of one that has the name.
  private func write(
    _ text: String, _ name: String, mode: FileMode = .create, isSynced: Bool = true
  ) throws(EvidenceProblem) {
    let full = path + "/" + name
    let partial = full + Self.partialSuffix
    let bytes = Array(text.utf8)
    try evidenceFiles { () throws(FileError) in
      try files.createDirectory(path)
      if try files.list(path).contains(name + Self.partialSuffix) { try files.remove(partial) }
      let file = try files.open(partial, mode)
      try file.write(bytes.span.bytes, at: 0)
      if isSynced { try file.sync() }
      try files.rename(partial, to: full)
      if isSynced { try files.syncDirectory(path) }
    }
  }
}

extension TrustPolicy {
  /// The policy that trusts a cluster's log where a majority of the voters has signed it; nil where
  /// fewer keys are known.
  package init?(_ keys: [NodeID: NodeKeys], voters: [NodeID]) {
    let threshold = voters.count / 2 + 1
    let known = voters.compactMap { node in keys[node].map { (node, $0) } }
    guard known.count >= threshold else { return nil }
    self.init(
      logs: known.map(\.1.log),
      witnesses: known.map { ("node\($0.0.rawValue)", $0.1.witness) }, threshold: threshold)
  }
}

private func evidenceFiles<T>(
  _ body: () throws(FileError) -> T
) throws(EvidenceProblem) -> T {
  do {
    return try body()
  } catch {
    throw .file(error)
  }
}
