/// A reader of bytes from outside that is tested with arbitrary ones.
///
/// ``run(_:)`` ends the process where a property is broken: what a fuzzer and a replay of its corpus
/// both take notice of. What is refused with an error is as it should be.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// A segment's file: header, batches and footer, scanned and inspected for repair.
  case segment
  /// A batch's records, through every decoder of events and through the ledger.
  case records
  /// A peer's frame after its length: the hello and every message.
  case peerFrame = "peer-frame"
  /// The body of a payment, or of an operator's request.
  case httpBody = "http-body"
  /// A signed note, a checkpoint, a proof file or a trust policy.
  case evidence

  /// Reads `bytes`, and checks what must be true whatever they are.
  public func run(_ bytes: UnsafeRawBufferPointer) {
    let input = [UInt8](bytes)
    switch self {
    case .segment: SegmentFuzzing.run(input)
    case .records: RecordFuzzing.run(input)
    case .peerFrame: PeerFrameFuzzing.run(input)
    case .httpBody: BodyFuzzing.run(input)
    case .evidence: EvidenceFuzzing.run(input)
    }
  }

  /// Inputs to begin with: small, whole, and of every form that there is.
  public var seeds: [[UInt8]] {
    switch self {
    case .segment: SegmentSeeds.all
    case .records: RecordSeeds.all
    case .peerFrame: PeerFrameSeeds.all
    case .httpBody: BodySeeds.all
    case .evidence: EvidenceSeeds.all
    }
  }
}
