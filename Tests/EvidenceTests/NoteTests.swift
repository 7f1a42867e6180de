// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import Testing

@testable import Evidence

@Suite struct NoteTests {
  /// The example of the Go project's note package.
  static let goKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
  static let goNote = """
    If you think cryptography is the answer to your problem,
    then you don't know what your problem is.

    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=

    """

  @Test func `a note that another implementation signed is read, verified and written alike`()
    throws
  {
    let key = try NoteKey(parsing: Self.goKey)
    #expect(key.description == Self.goKey)
    let note = try SignedNote(parsing: Self.goNote)
    #expect(note.description == Self.goNote)
    #expect(try key.time(ofSignatureUnder: note) == 0)
    let forged = try SignedNote(
      parsing: Self.goNote.replacing("your problem is", with: "my problem is"))
    #expect(throws: EvidenceError.falseSignature(name: "PeterNeumann")) {
      try key.time(ofSignatureUnder: forged)
    }
  }

  @Test func `keys sign the text, and cosigners their time with it`() throws {
    let signers = NoteKey.Kind.allCases.map { kind in
      NoteSigner(name: "example.com/a", kind: kind, seed: Array(repeating: 7, count: 32))!
    }
    #expect(signers[0].key.id != signers[1].key.id, "the kind is part of the key's id")
    var note = SignedNote(text: "first\nsecond\n")
    for signer in signers { note.add(try signer.sign(note.text, time: 1_790_000_000)) }
    note.add(try signers[0].sign(note.text))
    #expect(note.signatures.count == 2, "a key signs once")
    let read = try SignedNote(parsing: note.description)
    #expect(read == note)
    #expect(try signers.map { try $0.key.time(ofSignatureUnder: read) } == [0, 1_790_000_000])
    let stranger = NoteSigner(
      name: "example.com/b", kind: .note, seed: Array(repeating: 8, count: 32))!
    #expect(try stranger.key.time(ofSignatureUnder: read) == nil)
    #expect(try NoteKey(parsing: stranger.key.description) == stranger.key)
  }

  @Test func `a cosignature whose time was changed is false`() throws {
    let signer = NoteSigner(
      name: "w", kind: .cosignature, seed: Array(repeating: 1, count: 32))!
    let signature = try signer.sign("text\n", time: 5)
    var bytes = signature.bytes
    bytes[7] = 6
    let note = SignedNote(
      text: "text\n",
      signatures: [SignedNote.Signature(name: "w", keyID: signature.keyID, bytes: bytes)])
    #expect(throws: EvidenceError.falseSignature(name: "w")) {
      try signer.key.time(ofSignatureUnder: note)
    }
  }

  @Test(arguments: [
    "", "\n", "text\n", "text\n\n", "\n— a AAAAAAE=\n", "text\n\n- a AAAAAAE=\n",
    "text\n\n— a AAAAAAE", "text\n\n— a AAAAAA==\n", "text\n\n— a+b AAAAAAE=\n",
    "text\n\n—  AAAAAAE=\n", "text\n\n— a  AAAAAAE=\n", "text\n\n— a AAAAAAF=\n",
    "te\u{1}xt\n\n— a AAAAAAE=\n", "text\r\n\n— a AAAAAAE=\n",
  ])
  func `what is no note is refused`(text: String) {
    #expect(throws: EvidenceError.malformedNote) { try SignedNote(parsing: text) }
  }

  @Test(arguments: [
    "", "a", "a+b", "a+00000000+AAAA", goKey.replacing("c74f", with: "c74e"),
    goKey.replacing("+AR", with: "+AQ"), "Peter Neumann" + goKey.dropFirst(12),
  ])
  func `what is no key is refused`(text: String) {
    #expect(throws: EvidenceError.malformedKey) { try NoteKey(parsing: text) }
  }

  @Test func `base 64 is strict and comes back`() {
    for count in 0..<70 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
      #expect([UInt8](base64: bytes.base64) == bytes)
    }
    #expect(Array("foobar".utf8).base64 == "Zm9vYmFy")  // RFC 4648 §10
    #expect(Array("fooba".utf8).base64 == "Zm9vYmE=")
    #expect(Array("foob".utf8).base64 == "Zm9vYg==")
    for wrong in [
      "A", "AA", "AAA", "A===", "AAB=", "AB==", "AA=A", "AA==AAAA", "A-==",
      "AA=="
        + "\n",
    ] { #expect([UInt8](base64: wrong) == nil, "\(wrong)") }
  }
}

@Suite struct CheckpointTests {
  static let origin = "example.com/payments"

  /// The keys of `count` nodes: as the log, and as witnesses.
  static func nodes(_ count: Int) -> [(log: NoteSigner, witness: NoteSigner)] {
    (1...count).map { number in
      let seed = [UInt8](repeating: UInt8(number), count: 32)
      return (
        NoteSigner(name: origin, kind: .note, seed: seed)!,
        NoteSigner(name: "\(origin)/node\(number)", kind: .cosignature, seed: seed)!
      )
    }
  }

  static func policy(_ nodes: [(log: NoteSigner, witness: NoteSigner)], threshold: Int)
    throws -> TrustPolicy
  {
    var lines = ["# who may speak for the log", ""]
    lines += nodes.map { "log \($0.log.key.description)" }
    lines += nodes.enumerated().map {
      "witness node\($0.offset + 1) \($0.element.witness.key.description)"
    }
    lines.append(
      "group members \(threshold) " + nodes.indices.map { "node\($0 + 1)" }.joined(separator: " "))
    lines.append("quorum members")
    return try TrustPolicy(parsing: lines.joined(separator: "\n"))
  }

  @Test func `a checkpoint is its lines, and nothing else is one`() throws {
    let text = """
      example.com/behind-the-sofa
      20852163
      CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
      index 7

      """
    let checkpoint = try Checkpoint(parsing: text)
    #expect(checkpoint.size == 20_852_163 && checkpoint.extensions == ["index 7"])
    #expect(checkpoint.text == text)
    for wrong in [
      text.replacing("20852163", with: "020852163"), text.replacing("20852163", with: "-1"),
      text.replacing("20852163", with: "99999999999999999999"),
      text.replacing("q2I=", with: "q2J="),
      text.replacing("CsUY", with: ""), text.replacing("example.com/behind-the-sofa", with: ""),
      text.replacing("index 7\n", with: "\n"), String(text.dropLast()), "a\n1\n",
    ] {
      #expect(throws: EvidenceError.malformedCheckpoint) { try Checkpoint(parsing: wrong) }
    }
  }

  @Test func `a proof holds under a policy that enough nodes meet, and else says why not`() throws {
    let nodes = Self.nodes(3)
    let tree = PlainTree.counting(1000)
    let event = Array("event 700".utf8)
    let checkpoint = Checkpoint(
      origin: Self.origin, size: 1000, root: tree.root(0..<1000), extensions: ["index 12"])
    var note = SignedNote(text: checkpoint.text)
    note.add(try nodes[0].log.sign(note.text))
    note.add(try nodes[0].witness.sign(note.text, time: 11))
    note.add(try nodes[2].witness.sign(note.text, time: 13))
    let file = ProofFile(
      extra: event, index: 700, path: tree.prover.inclusion(of: 700, size: 1000),
      checkpoint: note)
    let read = try ProofFile(parsing: file.description)
    #expect(read == file)
    let policy = try Self.policy(nodes, threshold: 2)
    let trusted = try read.verify(leaf: read.extra.span.bytes, under: policy)
    #expect(trusted.checkpoint == checkpoint)
    #expect(trusted.witnesses.map(\.name) == ["node1", "node3"])
    #expect(trusted.witnesses.map(\.time) == [11, 13])
    #expect(throws: EvidenceError.notIncluded) {
      try read.verify(leaf: Array("event 701".utf8).span.bytes, under: policy)
    }
    let strict = try Self.policy(nodes, threshold: 3)
    #expect(throws: EvidenceError.tooFewSignatures) {
      try read.verify(leaf: event.span.bytes, under: strict)
    }
    let others = try Self.policy(Array(nodes.dropFirst()), threshold: 1)
    #expect(throws: EvidenceError.untrustedLog(origin: Self.origin)) {
      try read.verify(leaf: event.span.bytes, under: others)
    }
    let later = ProofFile(extra: event, index: 701, path: file.path, checkpoint: note)
    #expect(throws: EvidenceError.notIncluded) {
      try later.verify(leaf: event.span.bytes, under: policy)
    }
  }

  @Test func `names of keys have no space and no plus`() {
    let key = [UInt8](repeating: 3, count: 32)
    for name in ["a", "example.com/a", "zoë"] {
      #expect(NoteKey(name: name, kind: .note, publicKey: key) != nil)
    }
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\n"] {
      #expect(NoteKey(name: name, kind: .note, publicKey: key) == nil, "\(name)")
    }
    #expect(NoteKey(name: "a", kind: .note, publicKey: Array(key.dropLast())) == nil)
  }

  @Test func `names of a policy are bytes, and a log's key is no witness`() throws {
    let nodes = Self.nodes(2)
    let keys = nodes.map(\.witness.key.description)
    // The letter K and the sign of the unit kelvin.
    let text =
      "witness K \(keys[0])\nwitness \u{212a} \(keys[1])\ngroup g all K \u{212a}\nquorum g\n"
    let policy = try TrustPolicy(parsing: text)
    #expect(try TrustPolicy(parsing: policy.description) == policy)
    #expect(throws: EvidenceError.malformedPolicy(line: 1)) {
      try TrustPolicy(parsing: "witness a \(nodes[0].log.key.description)\nquorum a\n")
    }
    #expect(throws: EvidenceError.malformedPolicy(line: 1)) {
      try TrustPolicy(parsing: "quorum\u{1}none\n")
    }
  }

  @Test func `a policy comes back from its text`() throws {
    let nodes = Self.nodes(3)
    let policy = TrustPolicy(
      logs: [nodes[0].log.key],
      witnesses: nodes.enumerated().map { ("node\($0.offset)", $0.element.witness.key) },
      threshold: 2)
    #expect(try TrustPolicy(parsing: policy.description) == policy)
    let none = try TrustPolicy(parsing: "quorum none\n")
    #expect(try TrustPolicy(parsing: none.description) == none)
  }

  @Test func `groups of groups count as the policy says`() throws {
    let nodes = Self.nodes(4)
    let witnesses = nodes.enumerated().map {
      "witness w\($0.offset) \($0.element.witness.key.description)"
    }
    let policy = try TrustPolicy(
      parsing: (witnesses + [
        "group left any w0 w1", "group right all w2 w3", "group both all left right",
        "\t quorum both  ",
      ]).joined(separator: "\n"))
    #expect(try TrustPolicy(parsing: policy.description) == policy)
    let checkpoint = Checkpoint(origin: Self.origin, size: 0, root: MerkleHash.empty)
    func signed(by places: [Int]) throws -> SignedNote {
      var note = SignedNote(text: checkpoint.text)
      for place in places { note.add(try nodes[place].witness.sign(note.text, time: 1)) }
      return note
    }
    #expect(try policy.verify(signed(by: [1, 2, 3])).witnesses.count == 3)
    for places in [[0, 1, 2], [2, 3], [0, 3]] {
      #expect(throws: EvidenceError.tooFewSignatures) { try policy.verify(signed(by: places)) }
    }
  }

  @Test(arguments: [
    (0, ""), (1, "quorum a"), (1, "log"), (1, "log x"), (2, "quorum none\nquorum none"),
    (1, "witness none W"), (2, "witness a W\nwitness b W"), (2, "witness a W\ngroup a any a"),
    (2, "witness a W\ngroup g 2 a"), (2, "witness a W\ngroup g 0 a"),
    (2, "witness a W\ngroup g any b"), (3, "witness a W\ngroup g any a\ngroup h any a"),
    (1, "cosigner a W"), (2, "witness a W\nquorum a b"),
  ])
  func `what is no policy is refused with its line`(line: Int, text: String) {
    let key = Self.nodes(1)[0].witness.key.description
    let wanted = EvidenceError.malformedPolicy(line: max(1, line))
    #expect(throws: wanted) { try TrustPolicy(parsing: text.replacing("W", with: key)) }
  }

  @Test func `what is no proof is refused`() throws {
    let nodes = Self.nodes(1)
    var note = SignedNote(
      text: Checkpoint(origin: Self.origin, size: 1, root: MerkleHash.empty).text)
    note.add(try nodes[0].log.sign(note.text))
    let text = ProofFile(extra: [1], index: 0, path: [.zero], checkpoint: note).description
    #expect(try ProofFile(parsing: text).extra == [1])
    for (old, new) in [
      ("@v1", "@v2"), ("index 0", "index 00"), ("index 0", "place 0"), ("extra AQ==", "extra "),
      ("extra AQ==", "extra A"), ("AAAA=\n\n", "AAA=\n\n"), ("\n\n", "\n"),
    ] {
      #expect(throws: (any Error).self) { try ProofFile(parsing: text.replacing(old, with: new)) }
    }
  }
}
