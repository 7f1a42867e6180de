import Audit
import Bytes
import Evidence
import HostFiles
import Ledger
import SegmentLog
import Testing

@Suite struct EvidenceTests {
  @Test func `every event of a log has a proof under every checkpoint after it`() throws {
    let signed = try SignedCluster()
    for index in [1, 8, 9, 25, 40] {
      let checkpoint = try signed.checkpoint(at: index)
      let size = checkpoint.lastSequence.rawValue
      var tree = MerkleFrontier.empty
      for sequence in 1...size {
        let proof = try signed.prover.inclusion(of: EventSequence(sequence), size: size)
        let leaf = MerkleHash.leaf(proof.record.span.bytes)
        tree.append(leaf)
        #expect(
          MerkleProofs.isIncluded(
            leaf, at: sequence - 1, size: size, root: checkpoint.root, path: proof.path))
      }
      #expect(tree.root == checkpoint.root, "the tree of the events, one after the other")
    }
    #expect(throws: LogError.self) {
      try signed.prover.inclusion(of: EventSequence(1), size: 40 * 30 + 1000)
    }
  }

  @Test func `a receipt tells who paid whom, and who has signed`() throws {
    let signed = try SignedCluster()
    let text = try signed.receipt(700, at: 40).description
    let report = try ReceiptReport(text, under: signed.policy)
    guard case .payment(let payment) = report.event else {
      Issue.record("\(report.event)")
      return
    }
    #expect(payment.draft.id == signed.cluster.payments[699].id)
    #expect(report.sequence == EventSequence(700))
    #expect(report.witnesses.map(\.name) == ["node1", "node2", "node3"])
  }

  @Test func `no change of a byte makes a receipt prove something else`() throws {
    let signed = try SignedCluster(batches: 10, events: 5)
    let text = try signed.receipt(23, at: 10, by: [1, 2]).description
    let whole = try ReceiptReport(text, under: signed.policy)
    for place in text.utf8.indices {
      for bit in [UInt8(1), 0x20] {
        var bytes = Array(text.utf8)
        bytes[text.utf8.distance(from: text.utf8.startIndex, to: place)] ^= bit
        let changed = String(decoding: bytes, as: UTF8.self)
        guard let report = try? ReceiptReport(changed, under: signed.policy) else { continue }
        // A signature more than are needed may get lost; what is proven stays the same.
        #expect(report.event == whole.event && report.sequence == whole.sequence, "\(changed)")
        #expect(report.checkpoint == whole.checkpoint, "\(changed)")
      }
    }
  }

  @Test func `a receipt that too few have signed, or nobody trusted, proves nothing`() throws {
    let signed = try SignedCluster(batches: 10, events: 5)
    #expect(throws: EvidenceError.tooFewSignatures) {
      try ReceiptReport(try signed.receipt(3, at: 10, by: [2]).description, under: signed.policy)
    }
    let others = TrustPolicy(
      logs: [try NodeTestKeys(9).log.key], witnesses: [("node9", try NodeTestKeys(9).witness.key)],
      threshold: 1)
    #expect(throws: EvidenceError.untrustedLog(origin: LogCheckpoint.origin(of: SignedCluster.id)))
    {
      try ReceiptReport(try signed.receipt(3, at: 10).description, under: others)
    }
  }

  @Test func `any checkpoint is consistent with any later one`() throws {
    let signed = try SignedCluster()
    for (first, last) in [(1, 1), (1, 40), (8, 9), (13, 29), (39, 40)] {
      let (old, new) = (try signed.checkpoint(at: first), try signed.checkpoint(at: last))
      let file = ConsistencyFile(
        oldSize: old.lastSequence.rawValue,
        path: try signed.prover.consistency(
          from: old.lastSequence.rawValue, to: new.lastSequence.rawValue),
        checkpoint: try signed.note(new))
      let read = try ConsistencyFile(parsing: file.description)
      #expect(read == file)
      let both = try read.verify(since: try signed.note(old), under: signed.policy)
      #expect(both.new.checkpoint == new.checkpoint)
      guard first != last else { continue }
      var other = old.checkpoint
      other = Checkpoint(origin: other.origin, size: other.size, root: .zero)
      var forged = SignedNote(text: other.text)
      for keys in signed.keys {
        forged.add(try keys.log.sign(forged.text))
        forged.add(try keys.witness.sign(forged.text, time: 5))
      }
      #expect(throws: EvidenceError.notConsistent) {
        try read.verify(since: forged, under: signed.policy)
      }
    }
  }
}

@Suite struct CheckpointVerificationTests {
  @Test func `checkpoints beside a log and given ones are compared with it`() throws {
    let signed = try SignedCluster()
    try signed.write(
      try signed.note(signed.checkpoint(at: 24)).description,
      "node1/evidence/\(LogCheckpoint.fileName(at: LogIndex(24)))")
    let kept = try signed.write(
      try signed.note(signed.checkpoint(at: 31), by: [1, 3]).description, "kept.checkpoint")
    let report = try signed.verify(signed.options([kept]), [1, 2])
    #expect(!report.hasFault && !report.hasFailure)
    #expect(report.nodes[0].log?.confirmed.map(\.checkpoint.index.rawValue) == [24, 31])
    #expect(
      report.nodes[0].log?.confirmed.map(\.signers) == [
        ["node1", "node2", "node3"], ["node1", "node3"],
      ])
    #expect(report.nodes[1].log?.confirmed.map(\.checkpoint.index.rawValue) == [31])
    #expect(report.checkpoints.policyFoundAt == nil)
  }

  @Test func `a log that was rewritten whole is found by an older checkpoint`() throws {
    let signed = try SignedCluster()
    let kept = try signed.write(
      try signed.note(signed.checkpoint(at: 24)).description, "kept.checkpoint")
    // Another history, as intact as the first: other payments, all hashes and footers made anew.
    var other = TestCluster(clocks: TestCluster.plainClocks, seed: 2)
    try other.build(batchCount: 40, eventsPerBatch: 30)
    try other.writeAll()
    let report = try VerifyReport(
      [other.data(1)], signed.options([kept]), in: PosixFileSystem(), meter: ProgressMeter())
    #expect(report.hasFault)
    let fault = try #require(report.nodes[0].fault)
    #expect(fault.index == LogIndex(24) && fault.reason.contains("chain of hashes"))
    #expect(try !verify([other.data(1)]).hasFault)
  }

  @Test func `a log that was cut before what was signed is found`() throws {
    let signed = try SignedCluster()
    let kept = try signed.write(
      try signed.note(signed.checkpoint(at: 40)).description, "kept.checkpoint")
    try PosixFileSystem().remove(signed.cluster.segment(1, first: 33))
    let report = try signed.verify(signed.options([kept]))
    #expect(report.nodes[0].fault?.reason.contains("ends before") == true)
    #expect(report.nodes[0].fault?.index == LogIndex(40))
  }

  @Test func `a node that was behind what was signed is no fault where another was not`() throws {
    let signed = try SignedCluster()
    let kept = try signed.write(
      try signed.note(signed.checkpoint(at: 40)).description, "kept.checkpoint")
    try PosixFileSystem().remove(signed.cluster.segment(1, first: 33))
    let both = try signed.verify(signed.options([kept]), [1, 2])
    #expect(!both.hasFault)
    #expect(both.nodes[0].log?.unreached.map(\.path) == [kept])
    try PosixFileSystem().remove(signed.cluster.segment(2, first: 33))
    let neither = try signed.verify(signed.options([kept]), [1, 2])
    #expect(neither.hasFault && neither.unreached.map(\.path) == [kept])
    let transcript = Transcript()
    try neither.write(.table, elapsed: .seconds(1), to: transcript.writer)
    #expect(transcript.text.contains("FAULT: all logs end before"))
  }

  @Test func `each part of a checkpoint is compared`() throws {
    let signed = try SignedCluster(batches: 20, events: 5)
    let right = try signed.checkpoint(at: 12)
    let one = Digest256Hasher.digest([7].span.bytes)
    func change(
      hash: Digest256? = nil, events: UInt64? = nil, root: Digest256? = nil,
      ledger: Digest256? = nil
    ) -> LogCheckpoint {
      LogCheckpoint(
        cluster: SignedCluster.id, index: right.index, hash: hash ?? right.hash,
        lastSequence: EventSequence(events ?? right.lastSequence.rawValue),
        root: root ?? right.root, ledgerDigest: ledger ?? right.ledgerDigest)
    }
    let cases = [
      (change(hash: one), "chain of hashes"), (change(events: 59), "number of events"),
      (change(root: one), "Merkle tree"), (change(ledger: one), "ledger is another"),
    ]
    for (place, (wrong, word)) in cases.enumerated() {
      let path = try signed.write(try signed.note(wrong).description, "\(place).checkpoint")
      let fault = try signed.verify(signed.options([path])).nodes[0].fault
      #expect(fault?.reason.contains(word) == true, "\(word): \(fault?.reason ?? "–")")
    }
  }

  @Test func `a node that has signed two histories is named`() throws {
    let signed = try SignedCluster(batches: 20, events: 5)
    let right = try signed.checkpoint(at: 12)
    let other = LogCheckpoint(
      cluster: SignedCluster.id, index: right.index, hash: right.hash,
      lastSequence: right.lastSequence,
      root: .zero, ledgerDigest: right.ledgerDigest)
    let first = try signed.write(try signed.note(right).description, "a.checkpoint")
    let second = try signed.write(try signed.note(other, by: [2]).description, "b.checkpoint")
    let report = try signed.verify(signed.options([first, second]))
    #expect(report.hasFault)
    #expect(report.checkpoints.equivocations.map(\.name) == ["node2"])
    let transcript = Transcript()
    try report.write(.table, elapsed: .seconds(1), to: transcript.writer)
    #expect(transcript.text.contains("node2 equivocates: at index 12"))
  }

  @Test func `a checkpoint that too few have signed is a fault under a policy`() throws {
    let signed = try SignedCluster(batches: 10, events: 5)
    let path = try signed.write(
      try signed.note(signed.checkpoint(at: 5), by: [3]).description, "few.checkpoint")
    let fault = try signed.verify(signed.options([path])).nodes[0].fault
    #expect(fault?.reason.contains("fewer trusted nodes") == true)
    let rubbish = try signed.write("no note", "rubbish.checkpoint")
    #expect(try signed.verify(signed.options([rubbish])).hasFailure)
  }

  @Test func `from a checkpoint on only what follows is read, and what follows is proven`() throws {
    let signed = try SignedCluster()
    let since = try signed.write(
      try signed.note(signed.checkpoint(at: 29)).description, "since.checkpoint")
    // What lies before was verified then; damage there is not looked for.
    try setByte(signed.cluster.segment(1, first: 9), 3000, 0)
    let report = try signed.verify(signed.options(since: since))
    #expect(!report.hasFault && !report.hasFailure)
    let log = try #require(report.nodes[0].log)
    #expect(log.firstIndex == LogIndex(25) && log.lastIndex == LogIndex(40))
    #expect(log.confirmed.map(\.checkpoint.index.rawValue) == [29])
    #expect(try signed.verify(signed.options()).hasFault)

    try setByte(signed.cluster.segment(1, first: 33), 3000, 0)
    #expect(try signed.verify(signed.options(since: since)).hasFault)
  }

  @Test func `from a checkpoint of another history nothing is taken as given`() throws {
    let signed = try SignedCluster()
    let right = try signed.checkpoint(at: 29)
    let wrong = LogCheckpoint(
      cluster: SignedCluster.id, index: right.index, hash: right.hash,
      lastSequence: right.lastSequence,
      root: .zero, ledgerDigest: right.ledgerDigest)
    let since = try signed.write(try signed.note(wrong).description, "since.checkpoint")
    let fault = try signed.verify(signed.options(since: since)).nodes[0].fault
    #expect(fault?.index == LogIndex(29))
  }

  @Test func `many threads find what one finds`() throws {
    let signed = try SignedCluster()
    var random = SeededGenerator(seed: 7)
    for _ in 0..<30 {
      let first = UInt64(Int.random(in: 0..<5, using: &random) * 8 + 1)
      let path = signed.cluster.segment(1, first: first)
      let whole = try fileBytes(path)
      let place = Int.random(in: 0..<whole.count, using: &random)
      try setByte(path, place, whole[place] ^ 0x55)
      var options = VerifyOptions()
      let one = try signed.verify(options).nodes[0]
      options.workers = HostThread.concurrently
      let many = try signed.verify(options).nodes[0]
      #expect(one.fault == many.fault, "byte \(place) of segment \(first), seed 7")
      #expect(one.log?.lastIndex == many.log?.lastIndex)
      try setByte(path, place, whole[place])
    }
  }
}
