import Bytes
import HybridTime
import Ledger
import Testing

extension LedgerState {
  /// The pieces of a snapshot.
  borrowing func pieces() -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    writeSnapshot { piece in pieces.append(piece.withUnsafeBytes { [UInt8]($0) }) }
    return pieces
  }

  /// The ledger that these pieces make.
  init(pieces: [[UInt8]]) throws(DecodeError) {
    var loader = LedgerLoader(byteCount: UInt64(pieces.reduce(0) { $0 + $1.count }))
    for piece in pieces { try loader.take(piece.span.bytes) }
    self = try loader.finish()
  }
}

@Suite struct SnapshotTests {
  /// Applies the drafts in batches of random sizes.
  private func apply(
    _ drafts: [PaymentDraft], to ledger: inout LedgerState, using generator: inout SeededGenerator
  ) throws -> [Outcome] {
    var outcomes: [Outcome] = []
    var next = 0
    while next < drafts.count {
      let end = min(next + Int.random(in: 1...900, using: &generator), drafts.count)
      outcomes += try ledger.apply(Array(drafts[next..<end]))
      next = end
    }
    return outcomes
  }

  private func expectEqual(
    _ left: borrowing LedgerState, _ right: borrowing LedgerState, _ drafts: [PaymentDraft],
    _ seed: UInt64
  ) throws {
    #expect(left.digest == right.digest, "seed \(seed)")
    #expect(left.counts == right.counts && left.lastSequence == right.lastSequence)
    #expect(left.accountCount == right.accountCount && left.cluster == right.cluster)
    #expect(left.balances() == right.balances(), "seed \(seed)")
    for number in 1...left.lastSequence.rawValue + 1 {
      let sequence = EventSequence(number)
      if left.wasApplied(sequence) != right.wasApplied(sequence) {
        Issue.record("seed \(seed): event \(number) differs")
      }
    }
    for draft in drafts {
      let isSame =
        try left.lookup(draft.id) == right.lookup(draft.id)
        && left.precheck(draft) == right.precheck(draft)
      if !isSame {
        Issue.record("seed \(seed): \(draft.id.text) differs")
      }
    }
    #expect(left.pieces() == right.pieces(), "seed \(seed)")
  }

  @Test(arguments: [0, 1, 40, 2_000, 30_000])
  func `a loaded ledger is the one that was written, and goes on like it`(count: Int) throws {
    let seed = UInt64(count) &* 77 &+ 5
    var generator = SeededGenerator(seed: seed)
    let drafts = try randomDrafts(2 * count, accounts: 300, using: &generator)
    var written = LedgerState(seed: generator.next())
    _ = try apply(Array(drafts[..<count]), to: &written, using: &generator)
    var loaded = try LedgerState(pieces: written.pieces())
    try expectEqual(written, loaded, drafts, seed)
    let rest = Array(drafts[count...])
    var again = generator
    let outcomes = try apply(rest, to: &written, using: &generator)
    #expect(try apply(rest, to: &loaded, using: &again) == outcomes, "seed \(seed)")
    try expectEqual(written, loaded, drafts, seed)
  }

  @Test func `a ledger of every event kind is loaded`() throws {
    var generator = SeededGenerator(seed: 12)
    var ledger = LedgerState(seed: 12)
    let events = try (0..<500).map { _ in try randomEvent(&generator) }
    _ = try ledger.apply(bytes: records(events), count: events.count)
    let loaded = try LedgerState(pieces: ledger.pieces())
    try expectEqual(ledger, loaded, [], 12)
    #expect(loaded.counts.noted > 50)
  }

  @Test func `pieces keep their limit`() throws {
    var generator = SeededGenerator(seed: 3)
    var ledger = LedgerState(seed: 3)
    let drafts = try randomDrafts(60_000, accounts: 60_000, using: &generator)
    _ = try apply(drafts, to: &ledger, using: &generator)
    let pieces = ledger.pieces()
    #expect(pieces.count > 6)
    for piece in pieces { #expect(piece.count <= LedgerSnapshot.pieceByteCountMax) }
  }

  @Test func `a piece too few, too many or out of order is refused`() throws {
    var generator = SeededGenerator(seed: 4)
    var ledger = LedgerState(seed: 4)
    _ = try apply(
      try randomDrafts(3_000, accounts: 50, using: &generator), to: &ledger, using: &generator)
    let pieces = ledger.pieces()
    for missing in pieces.indices {
      var others = pieces
      others.remove(at: missing)
      expectRefused(others, "without piece \(missing)")
    }
    for place in 0...pieces.count {
      for piece in pieces {
        var others = pieces
        others.insert(piece, at: place)
        expectRefused(others, "a piece more at \(place)")
      }
    }
    for place in 1..<pieces.count {
      var others = pieces
      others.swapAt(place - 1, place)
      expectRefused(others, "pieces \(place - 1) and \(place) changed places")
    }
  }

  @Test func `pieces that are cut anywhere are refused`() throws {
    let ledger = try smallLedger()
    let pieces = ledger.pieces()
    for (place, piece) in pieces.enumerated() {
      for count in 0..<piece.count where place > 0 || count.isMultiple(of: 397) {
        var others = pieces
        others[place] = Array(piece.prefix(count))
        expectRefused(others, "piece \(place) cut to \(count)")
      }
    }
  }

  @Test func `no byte that is wrong crashes the loader or makes it believe a length`() throws {
    // No digest stands before the loader here: it must give an error or another sound ledger.
    let ledger = try smallLedger()
    let pieces = ledger.pieces()
    var refusedCount = 0
    for (place, piece) in pieces.enumerated() {
      for offset in piece.indices where place > 0 || offset < 140 || offset.isMultiple(of: 997) {
        for value: UInt8 in [0, 0xff, piece[offset] ^ 1] {
          var others = pieces
          others[place][offset] = value
          do throws(DecodeError) {
            let loaded = try LedgerState(pieces: others)
            _ = loaded.balances()
            let found = try? loaded.lookup(TransactionID(high: 1, low: 1))
            #expect(found == .unknown)
          } catch {
            refusedCount += 1
          }
        }
      }
    }
    #expect(refusedCount > 1_000)
  }

  @Test func `counts beyond what the bytes can hold are refused before anything is made for them`()
    throws
  {
    let pieces = try smallLedger().pieces()
    // accountCount, transactionCount, segmentCount, depth: the last four words of the head.
    for word in 96..<128 where word.isMultiple(of: 8) {
      for value in [1 << 20, 1 << 30, 1 << 62, UInt64.max] {
        var others = pieces
        var writer = ByteWriter()
        writer.integer(value)
        others[0].replaceSubrange(word..<word + 8, with: writer.bytes)
        expectRefused(others, "\(value) at \(word)")
      }
    }
    // A page that says that its segment has 2^31 slots.
    var others = pieces
    others[others.count - 1][9] = 31
    expectRefused(others, "a segment of 2^31 slots")
  }

  private func smallLedger() throws -> LedgerState {
    var ledger = LedgerState(seed: 6)
    _ = try ledger.apply(
      (1...40).map { try draft("order-\($0)", "\($0)", "a\($0 % 7)", "b\($0 % 5)") })
    return ledger
  }

  private func expectRefused(_ pieces: [[UInt8]], _ what: String) {
    do throws(DecodeError) {
      _ = try LedgerState(pieces: pieces)
      Issue.record("\(what): taken")
    } catch {}
  }
}
