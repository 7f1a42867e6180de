import Bytes
import SegmentLog

extension BatchHeader {
  /// The sequence of the first event after this batch.
  var sequenceAfter: EventSequence { EventSequence(firstSequence.rawValue + UInt64(count)) }
}
