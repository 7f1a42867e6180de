import Bytes

/// Why a text is not what it should be, or does not prove what it should.
package enum EvidenceError: Error, Hashable, Sendable {
  /// The text has not the form of a signed note (C2SP signed-note).
  case malformedNote
  /// The note's text is no checkpoint (C2SP tlog-checkpoint).
  case malformedCheckpoint
  /// The text has not the form of a proof (C2SP tlog-proof).
  case malformedProof
  /// The text is no verifier key (C2SP signed-note, "Verifier keys"), or one of a type unknown here.
  case malformedKey
  /// Line `line` of a trust policy (C2SP tlog-policy) says what it cannot.
  case malformedPolicy(line: Int)
  /// A signature that a trusted key is said to have made is not its.
  case falseSignature(name: String)
  /// No log that the policy names has signed the checkpoint, or it is another's.
  case untrustedLog(origin: String)
  /// Fewer trusted nodes have signed the checkpoint than the policy demands.
  case tooFewSignatures
  /// The proof does not show that the older log is the beginning of the newer one.
  case notConsistent
  /// The file cannot be read as text.
  case unreadable
  /// The event is not in the tree that the checkpoint tells of, or not at that place.
  case notIncluded
}

/// A text that keys have signed (C2SP signed-note).
package struct SignedNote: Hashable, Sendable {
  /// Most bytes of a note.
  package static let byteCountMax = 64 << 10
  /// Most signatures of a note.
  package static let signatureCountMax = 64
  private static let signatureMark = "— "

  /// One line below the text.
  package struct Signature: Hashable, Sendable {
    /// Whose key.
    package let name: String
    /// Which key of that name, and what kind.
    package let keyID: UInt32
    /// What the key made of the text.
    package let bytes: [UInt8]

    /// A signature from its parts.
    package init(name: String, keyID: UInt32, bytes: [UInt8]) {
      self.name = name
      self.keyID = keyID
      self.bytes = bytes
    }
  }

  /// What is signed; ends with a newline.
  package let text: String
  /// Who signed, in the order of the lines.
  package private(set) var signatures: [Signature]

  /// A note from its parts.
  ///
  /// Precondition: the text is not empty and ends with a newline.
  package init(text: String, signatures: [Signature] = []) {
    precondition(text.hasSuffix("\n"), "a note's text is of whole lines")
    self.text = text
    self.signatures = signatures
  }

  /// Reads a note. What its signatures are worth, only keys can tell.
  package init(parsing whole: String) throws(EvidenceError) {
    guard whole.utf8.count <= Self.byteCountMax, whole.hasSuffix("\n"),
      !whole.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\n" })
    else { throw .malformedNote }
    let lines = whole.dropLast().split(separator: "\n", omittingEmptySubsequences: false)
    guard let blank = lines.lastIndex(of: ""), blank > 0, blank + 1 < lines.count,
      lines.count - blank - 1 <= Self.signatureCountMax
    else { throw .malformedNote }
    text = lines[..<blank].map { $0 + "\n" }.joined()
    signatures = []
    for line in lines[(blank + 1)...] { signatures.append(try Self.signature(line)) }
  }

  private static func signature(_ line: Substring) throws(EvidenceError) -> Signature {
    guard line.hasPrefix(signatureMark) else { throw .malformedNote }
    let parts = line.dropFirst(signatureMark.count).split(
      separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 2, NoteKey.isName(parts[0]),
      let bytes = [UInt8](base64: String(parts[1])), bytes.count > 4
    else { throw .malformedNote }
    let keyID = bytes.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    return Signature(name: String(parts[0]), keyID: keyID, bytes: Array(bytes.dropFirst(4)))
  }

  /// Adds a signature, unless that key has signed already.
  package mutating func add(_ signature: Signature) {
    guard !signatures.contains(where: { $0.name == signature.name && $0.keyID == signature.keyID })
    else { return }
    signatures.append(signature)
  }

  /// The note as text.
  package var description: String {
    text + "\n"
      + signatures.map { signature in
        let id = withUnsafeBytes(of: signature.keyID.bigEndian) { Array($0) }
        return "\(Self.signatureMark)\(signature.name) \((id + signature.bytes).base64)\n"
      }.joined()
  }
}
