import Bytes
import HybridTime
import Ledger

/// The records of a batch, and what its header says of them.
struct MadeRecords {
  var bytes: [UInt8]
  let count: Int
  let correctedMin, correctedMax: Int64
  /// The last payment's stamp: the greatest hybrid time.
  let stamp: Stamp
}

/// Makes payments as nodes log them: stamped in turn by three nodes whose clocks differ a little.
struct PaymentMaker {
  private static let nodeCount: UInt64 = 3
  /// Corrected − raw, of each of the nodes, nanoseconds.
  private static let corrections: [Int64] = [-120_417, 48_233, 1_903_772]

  private var random: SeededGenerator
  private let accounts: [[UInt8]]
  private var nowNanoseconds: Int64 = 1_700_000_000_000_000_000
  private var writer = ByteWriter()

  init(accounts: Int, seed: UInt64) {
    random = SeededGenerator(seed: seed)
    self.accounts = (0..<accounts).map { number in
      let digits = String(number)
      return Array(("account-" + String(repeating: "0", count: 6 - digits.count) + digits).utf8)
    }
  }

  /// The next `count` payments; at least one.
  mutating func records(_ count: Int) throws -> MadeRecords {
    precondition(count > 0)
    writer.bytes.removeAll(keepingCapacity: true)
    var stamp = nextStamp()
    let first = stamp
    try draft().encode(stamp: stamp, into: &writer)
    for _ in 1..<count {
      stamp = nextStamp()
      try draft().encode(stamp: stamp, into: &writer)
    }
    return MadeRecords(
      bytes: writer.bytes, count: count, correctedMin: first.correctedNanoseconds,
      correctedMax: stamp.correctedNanoseconds, stamp: stamp)
  }

  private mutating func nextStamp() -> Stamp {
    let draw = random.next()
    nowNanoseconds += 1_000 + Int64(draw % 20_000)
    let node = Int(draw >> 32 % Self.nodeCount)
    let correction = Self.corrections[node]
    return Stamp(
      reading: ClockReading(
        rawNanoseconds: nowNanoseconds - correction, correctionNanoseconds: correction,
        boundNanoseconds: 180_000 + Int64(draw >> 40 % 40_000), epoch: 7, status: .synchronized,
        reference: .cluster),
      hybrid: HybridTimestamp(wallNanoseconds: nowNanoseconds, logical: 0),
      node: NodeID(UInt16(node + 1)))
  }

  private mutating func draft() throws -> PaymentDraft {
    let draw = random.next()
    let sender = Int(draw % UInt64(accounts.count))
    let receiver = (sender + 1 + Int(draw >> 32) % (accounts.count - 1)) % accounts.count
    var amount: [UInt8] = []
    amount.append(contentsOf: String(1 + draw >> 20 % 1_000).utf8)
    amount.append(contentsOf: ".25".utf8)
    let id = TransactionID(
      unixMilliseconds: UInt64(nowNanoseconds / 1_000_000),
      randomHigh: UInt16(truncatingIfNeeded: draw >> 48), randomLow: random.next())
    return try PaymentDraft(
      validating: PaymentRequest(
        amount: amount, sender: accounts[sender], receiver: accounts[receiver]),
      rules: PaymentRules(), makeID: { id })
  }
}
