import Bytes
import HybridTime
import JSONText
import Ledger
import SegmentLog
import Timeline

extension SkewReport {
  /// What follows the orders: bounds, cause and effect, synchronization, a rule, a question.
  func writeMore(to json: inout JSONWriter) {
    json.key("all_pairs")
    json.object([
      "certainly_ordered": allPairs.ordered, "certainly_reversed": allPairs.reversed,
      "causal": allPairs.causal, "by_message": allPairs.byMessage,
      "contradicted": allPairs.contradicted, "undecidable": allPairs.undecidable,
    ])
    if let bounds {
      json.key("payment_bounds_ns")
      json.beginObject()
      json.key("stamped")
      bounds.stamped.write(to: &json)
      json.key("tightened")
      bounds.tightened.write(to: &json)
      json.endObject()
      json.members(["time_server_answers": answerCount])
    }
    causality.write(to: &json)
    json.key("sync_log")
    json.beginArray()
    for event in syncLog.events { event.write(to: &json) }
    json.endArray()
    json.key("sync_gaps")
    json.beginArray()
    for gap in syncLog.gaps { gap.write(to: &json) }
    json.endArray()
    if let tolerance { tolerance.write(to: &json) }
    if let whatIf { whatIf.write(to: &json) }
    if let effects { effects.write(to: &json) }
  }
}

extension JSONWriter {
  /// Members of the object that is open, each a whole number.
  mutating func members(_ members: KeyValuePairs<StaticString, some FixedWidthInteger>) {
    for (name, value) in members {
      key(name)
      integer(value)
    }
  }

  /// An object of whole numbers.
  mutating func object(_ members: KeyValuePairs<StaticString, some FixedWidthInteger>) {
    beginObject()
    self.members(members)
    endObject()
  }
}

extension SyncEvent.Kind {
  fileprivate var name: String {
    switch self {
    case .state: "state"
    case .step: "step"
    case .pause: "pause"
    }
  }
}

extension SyncEvent {
  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.key("time")
    json.string(TimeText.text(nanoseconds: time, decimals: 9))
    json.key("node")
    json.integer(node.rawValue)
    json.key("kind")
    json.string(kind.name)
    if case .step(let nanoseconds) = kind {
      json.key("step_ns")
      json.integer(nanoseconds)
    }
    json.key("status")
    json.string(status.name)
    json.key("reference")
    json.string(reference.name)
    json.key("bound_ns")
    json.integer(bound)
    json.key("epoch")
    json.integer(epoch)
    json.endObject()
  }
}

extension SyncGap {
  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.key("node")
    json.integer(node.rawValue)
    json.key("from")
    json.string(TimeText.text(nanoseconds: start, decimals: 9))
    json.key("to")
    if let end { json.string(TimeText.text(nanoseconds: end, decimals: 9)) } else { json.null() }
    json.key("payments")
    json.integer(paymentCount)
    json.key("bound_max_ns")
    json.integer(boundMax)
    json.endObject()
  }
}

extension ToleranceReport {
  fileprivate func write(to json: inout JSONWriter) {
    json.key("tolerance")
    json.beginObject()
    json.key("name")
    json.string(tolerance.name)
    json.key("tolerance_ns")
    json.integer(tolerance.nanoseconds)
    json.key("payments")
    json.integer(paymentCount)
    json.key("covered")
    json.integer(coveredCount)
    json.key("covered_in_retrospect")
    json.integer(tightenedCount)
    json.key("violations")
    json.beginArray()
    for violation in violations {
      json.beginObject()
      json.key("node")
      json.integer(violation.node.rawValue)
      json.key("reason")
      json.string(violation.reason.rawValue)
      json.key("from")
      json.string(TimeText.text(nanoseconds: violation.start, decimals: 9))
      json.key("to")
      json.string(TimeText.text(nanoseconds: violation.end, decimals: 9))
      json.key("payments")
      json.integer(violation.count)
      json.key("sequence_first")
      json.integer(violation.sequences.lowerBound)
      json.key("sequence_last")
      json.integer(violation.sequences.upperBound)
      json.key("bound_max_ns")
      json.integer(violation.boundMax)
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }
}

extension WhatIfReport {
  fileprivate func write(to json: inout JSONWriter) {
    json.key("what_if")
    json.beginObject()
    json.key("injected")
    json.string(sentence)
    json.key("seed")
    json.integer(seed)
    json.key("doses")
    json.beginArray()
    for dose in doses {
      json.beginObject()
      json.key("permille")
      json.integer(dose.permille)
      json.key("disorder")
      dose.disorder.write(to: &json)
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }
}

extension OrderEffects {
  fileprivate func write(to json: inout JSONWriter) {
    json.key("effects_of_order")
    json.beginObject()
    json.key("order")
    json.string(order.rawValue)
    json.members([
      "moved": movedCount, "acceptance_differs": acceptanceCount,
      "balance_differs": balanceCount, "final_balances_differ": finalBalanceCount,
    ])
    json.key("affected")
    json.beginArray()
    for payment in affected {
      json.beginObject()
      json.key("sequence")
      json.integer(payment.sequence.rawValue)
      json.key("transaction_id")
      json.string(payment.id)
      json.key("outcome")
      json.string(payment.outcomes.log.name)
      json.key("outcome_in_that_order")
      json.string(payment.outcomes.other.name)
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }
}

extension CausalityReport {
  fileprivate func write(to json: inout JSONWriter) {
    json.key("causality")
    json.beginObject()
    json.key("journals")
    json.beginArray()
    for node in journals { json.integer(node.rawValue) }
    json.endArray()
    json.key("pairs")
    json.beginArray()
    for pair in pairs { pair.write(to: &json) }
    json.endArray()
    json.members(["commits": commitCount, "early_commits": earlyCommitCount])
    for (name, nodes) in [("raw_outliers", rawOutliers), ("suspects", suspects)]
      as [(StaticString, [NodeID])]
    {
      json.key(name)
      json.beginArray()
      for node in nodes { json.integer(node.rawValue) }
      json.endArray()
    }
    json.key("impossible")
    json.beginArray()
    for message in impossible {
      json.beginObject()
      json.key("kind")
      json.string(message.kind.rawValue)
      json.members(["sender": message.sender.rawValue, "receiver": message.receiver.rawValue])
      json.members(["index": message.index.rawValue])
      json.members([
        "sent_earliest_ns": message.sentEarliest, "received_latest_ns": message.receivedLatest,
      ])
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }
}

extension CausalPair {
  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.members(["first": first.rawValue, "second": second.rawValue])
    json.members([
      "messages": messageCounts.there, "messages_back": messageCounts.back,
      "raw_out_of_order": rawCount, "corrected_out_of_order": correctedCount,
      "impossible": impossibleCount,
    ])
    for (name, interval) in [("raw_apart_ns", raw), ("corrected_apart_ns", corrected)]
      as [(StaticString, CausalInterval)]
    {
      json.key(name)
      json.beginArray()
      for end in [interval.low, interval.high] {
        if let end { json.integer(end) } else { json.null() }
      }
      json.endArray()
    }
    json.endObject()
  }
}
