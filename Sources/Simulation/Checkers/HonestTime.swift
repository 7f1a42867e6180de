package import Bytes
package import HybridTime
import Ledger
package import SegmentLog

/// True time lies inside the bound of every reading whose clock calls itself synchronized, or in
/// holdover, against time servers (DESIGN, promise 4). Cluster time is relative and promises
/// nothing of true time (ClockSync, decision 0001).
package struct HonestTime {
  /// Readings that were checked.
  package private(set) var checkedCount = 0

  /// No reading.
  package init() {}

  /// A node's reading at a true time, nanoseconds since 1970.
  package mutating func check(
    _ reading: ClockReading, of node: NodeID, atTrue time: Int64
  ) throws(Violation) {
    guard reading.reference == .external,
      reading.status == .synchronized || reading.status == .holdover
    else { return }
    checkedCount += 1
    let away = (reading.correctedNanoseconds - time).magnitude
    guard away <= UInt64(reading.boundNanoseconds) else {
      throw Violation(
        "true time inside the bound",
        "node \(node.rawValue) is \(away) ns from true time and claims \(reading.boundNanoseconds)")
    }
  }
}

/// Hybrid time is monotone at a node and causal along messages: a batch's stamp is above those of
/// its events and of the batch before it, and no two events of a node share one.
package struct HybridOrder {
  private struct Name: Hashable {
    let node: NodeID
    let time: HybridTimestamp
  }

  private var events: [Name: TransactionID] = [:]

  /// Nothing is stamped.
  package init() {}

  /// A new batch, and the one before it in the log it was put into.
  package mutating func check(_ batch: Batch, after previous: Batch?) throws(Violation) {
    let stamp = batch.header.stamp.hybrid
    if let before = previous?.header.stamp.hybrid, before >= stamp {
      throw Violation("hybrid time is causal", "batch \(batch.index.rawValue) and the one before")
    }
    let records = batch.records
    let span = records.span.bytes
    var cursor = RecordCursor(span)
    while let record = try? cursor.next(in: span) {
      guard let event = try? record.stamp(in: span) else { continue }
      guard event.hybrid < stamp else {
        throw Violation(
          "hybrid time is causal", "an event of batch \(batch.index.rawValue) is not before it")
      }
      guard record.kind == .payment, let payment = try? PaymentView(record.body, in: span) else {
        continue
      }
      let id = payment.id(in: span)
      let name = Name(node: event.node, time: event.hybrid)
      guard events[name] == nil || events[name] == id else {
        throw Violation(
          "hybrid time is monotone", "node \(event.node.rawValue) gave one time to two payments")
      }
      events[name] = id
    }
  }
}
