import Bytes
import HybridTime
import Ledger

/// The leader's next batch while it fills.
struct OpenBatch {
  /// Encoded records, one after the other.
  private(set) var records: [UInt8] = []
  /// How many.
  private(set) var count = 0
  private var hybridMax = HybridTimestamp.zero
  private var correctedMin = Int64.max
  private var correctedMax = Int64.min

  var isEmpty: Bool { count == 0 }

  /// What the header says of the records.
  struct Range {
    let hybridMax: HybridTimestamp
    let correctedMin: Int64
    let correctedMax: Int64
  }

  /// The ranges of the records' times; those of `stamp` where there is none.
  func range(orOf stamp: Stamp) -> Range {
    isEmpty
      ? Range(
        hybridMax: stamp.hybrid, correctedMin: stamp.correctedNanoseconds,
        correctedMax: stamp.correctedNanoseconds)
      : Range(hybridMax: hybridMax, correctedMin: correctedMin, correctedMax: correctedMax)
  }

  mutating func append(record: some Collection<UInt8>, stamp: Stamp) {
    records.append(contentsOf: record)
    count += 1
    hybridMax = max(hybridMax, stamp.hybrid)
    correctedMin = min(correctedMin, stamp.correctedNanoseconds)
    correctedMax = max(correctedMax, stamp.correctedNanoseconds)
  }
}
