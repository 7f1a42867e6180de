import Bytes
internal import Crypto

/// A public key that signs notes (C2SP signed-note, "Verifier keys").
package struct NoteKey: Hashable, Sendable {
  /// What a key's signatures are.
  package enum Kind: UInt8, Hashable, Sendable, CaseIterable {
    /// Ed25519 over the note's text (C2SP signed-note).
    case note = 1
    /// Ed25519 over a time and a checkpoint's text (C2SP tlog-cosignature).
    case cosignature = 4
  }

  /// Bytes of an Ed25519 public key (RFC 8032).
  package static let byteCount = 32

  /// Whose key.
  package let name: String
  /// What it signs.
  package let kind: Kind
  /// The Ed25519 public key, 32 bytes (RFC 8032 §5.1.5).
  package let publicKey: [UInt8]
  /// The first four bytes of SHA-256(name ‖ 0x0A ‖ kind ‖ public key).
  package let id: UInt32

  /// A key from its parts; nil where the name cannot be one, or the key has another length.
  package init?(name: String, kind: Kind, publicKey: [UInt8]) {
    guard Self.isName(name[...]), publicKey.count == Self.byteCount else { return nil }
    self.name = name
    self.kind = kind
    self.publicKey = publicKey
    let bytes = Array(name.utf8) + [0x0a, kind.rawValue] + publicKey
    id = Digest256Hasher.digest(bytes.span.bytes).bytes.prefix(4)
      .reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
  }

  /// Reads `name+id+key`.
  package init(parsing text: String) throws(EvidenceError) {
    let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let bytes = [UInt8](base64: String(parts[2])),
      let kind = bytes.first.flatMap(Kind.init(rawValue:)),
      let key = NoteKey(
        name: String(parts[0]), kind: kind, publicKey: Array(bytes.dropFirst())),
      key.idText == parts[1]
    else { throw .malformedKey }
    self = key
  }

  /// `name+id+key`, as policies name it.
  package var description: String {
    "\(name)+\(idText)+\(([kind.rawValue] + publicKey).base64)"
  }

  private var idText: String { withUnsafeBytes(of: id.bigEndian) { Array($0).hexadecimal } }

  /// Whether a text can name a key: not empty, no space, no plus.
  static func isName(_ text: Substring) -> Bool {
    !text.isEmpty && !text.unicodeScalars.contains { $0 == "+" || $0.properties.isWhitespace }
  }

  /// The time of this key's signature under a note, seconds since 1970 and 0 for a kind that tells
  /// none; nil where it has not signed. A signature that claims to be this key's and is not ends the
  /// whole note.
  package func time(ofSignatureUnder note: SignedNote) throws(EvidenceError) -> UInt64? {
    for signature in note.signatures where signature.name == name && signature.keyID == id {
      guard let time = verified(signature.bytes, note.text) else {
        throw .falseSignature(name: name)
      }
      return time
    }
    return nil
  }

  private func verified(_ signature: [UInt8], _ text: String) -> UInt64? {
    guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else {
      return nil
    }
    switch kind {
    case .note: return key.isValidSignature(signature, for: Array(text.utf8)) ? 0 : nil
    case .cosignature:
      guard signature.count == Cosignature.byteCount else { return nil }
      let time = signature.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      guard time <= Cosignature.timeMax,
        key.isValidSignature(
          Array(signature.dropFirst(8)), for: Cosignature.message(text, time: time))
      else { return nil }
      return time
    }
  }
}

/// What a cosigner signs (C2SP tlog-cosignature).
enum Cosignature {
  /// A time and an Ed25519 signature.
  static let byteCount = 8 + 64
  /// Latest time, seconds since 1970.
  static let timeMax = UInt64(Int64.max)

  static func message(_ text: String, time: UInt64) -> [UInt8] {
    Array("cosignature/v1\ntime \(time)\n\(text)".utf8)
  }
}

/// A private key, and what it signs.
package struct NoteSigner: Sendable {
  /// Bytes of the seed that a private key is made from (RFC 8032 §5.1.5).
  package static let seedByteCount = 32

  private let privateKey: Curve25519.Signing.PrivateKey
  /// The public half.
  package let key: NoteKey

  /// The key of a seed of ``seedByteCount`` bytes; nil where the name cannot be one.
  package init?(name: String, kind: NoteKey.Kind, seed: [UInt8]) {
    guard seed.count == Self.seedByteCount,
      let privateKey = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed),
      let key = NoteKey(
        name: name, kind: kind, publicKey: Array(privateKey.publicKey.rawRepresentation))
    else { return nil }
    self.privateKey = privateKey
    self.key = key
  }

  /// Signs a text. `time` is what a cosignature tells, seconds since 1970; other kinds have none.
  package func sign(
    _ text: String, time: UInt64 = 0
  ) throws(EvidenceError) -> SignedNote.Signature {
    var bytes: [UInt8] = []
    let message: [UInt8]
    switch key.kind {
    case .note: message = Array(text.utf8)
    case .cosignature:
      precondition(time <= Cosignature.timeMax, "a cosignature's time fits 63 bits")
      bytes = withUnsafeBytes(of: time.bigEndian) { Array($0) }
      message = Cosignature.message(text, time: time)
    }
    guard let signature = try? privateKey.signature(for: message) else {
      throw .falseSignature(name: key.name)
    }
    return SignedNote.Signature(name: key.name, keyID: key.id, bytes: bytes + signature)
  }
}
