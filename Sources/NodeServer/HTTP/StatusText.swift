import Bytes
import HybridTime
import JSONText
import NodeRuntime
import SegmentLog

extension AnswerText {
  /// `GET /health`.
  func health(_ status: NodeStatus, _ consistency: ReadConsistency) -> [UInt8] {
    var json = JSONWriter(capacity: 256)
    json.beginObject()
    json.key("node_id")
    json.string(identity.name)
    json.key("status")
    json.string(status.health.rawValue)
    json.key("is_leader")
    json.boolean(status.isLeader)
    json.key("timestamp")
    json.seconds(nanoseconds: status.clock.correctedNanoseconds, decimals: 6)
    json.key("transaction_count")
    json.integer(status.transactionCount)
    if !status.reasons.isEmpty { reasons(status, into: &json) }
    json.consistency(consistency)
    json.endObject()
    return json.bytes
  }

  /// `GET /ping`, and `/livez` and `/readyz` where all is well.
  func alive() -> [UInt8] {
    var json = JSONWriter(capacity: 64)
    json.beginObject()
    json.key("status")
    json.string("ok")
    json.key("node_id")
    json.string(identity.name)
    json.endObject()
    return json.bytes
  }

  /// `GET /status`.
  func status(_ status: NodeStatus, _ consistency: ReadConsistency) -> [UInt8] {
    var json = JSONWriter(capacity: 2048)
    json.beginObject()
    json.key("node_id")
    json.string(identity.name)
    json.key("cluster")
    json.string(identity.clusterName)
    json.key("status")
    json.string(status.health.rawValue)
    reasons(status, into: &json)
    json.key("is_leader")
    json.boolean(status.isLeader)
    json.key("role")
    json.string(status.role.rawValue)
    json.key("leader")
    json.optional(status.leader) { $0.string(identity.name(of: $1)) }
    json.key("term")
    json.integer(status.term.rawValue)
    json.key("commit_index")
    json.integer(status.commitIndex.rawValue)
    json.key("applied_index")
    json.integer(status.appliedIndex.rawValue)
    json.key("last_sequence")
    json.integer(status.lastSequence.rawValue)
    json.key("transaction_count")
    json.integer(status.transactionCount)
    json.key("ledger_digest")
    json.string(status.ledgerDigest)
    json.key("uptime")
    json.seconds(nanoseconds: status.uptimeNanoseconds, decimals: 3)
    json.key("time_offset")
    json.seconds(nanoseconds: status.clock.correctionNanoseconds, decimals: 9)
    json.key("clock")
    json.clock(status)
    json.key("peer_health")
    peerHealth(status.peers, into: &json)
    json.key("replication_status")
    replication(status, into: &json)
    json.key("members_index")
    json.integer(status.membershipIndex.rawValue)
    json.key("members")
    members(status, into: &json)
    json.key("policy")
    policyValues(status.policy, into: &json)
    json.key("raft_faults")
    faults(status.faults, into: &json)
    json.key("stamps_refused")
    stampRefusals(status.stampRefusals, into: &json)
    json.key("scrub")
    scrub(status.scrub, into: &json)
    json.key("disk")
    disk(status.disk, into: &json)
    evidence(status.evidence, into: &json)
    json.consistency(consistency)
    json.endObject()
    return json.bytes
  }

  private func reasons(_ status: NodeStatus, into json: inout JSONWriter) {
    json.key("reasons")
    json.beginArray()
    for reason in status.reasons { json.string(reason) }
    json.endArray()
  }

  private func scrub(_ scrub: ScrubProgress, into json: inout JSONWriter) {
    json.beginObject()
    json.key("passes")
    json.integer(UInt64(scrub.passCount))
    json.key("segments_checked")
    json.integer(UInt64(scrub.checkedCount))
    json.key("segments_mended")
    json.integer(UInt64(scrub.mendedCount))
    json.key("segments_damaged")
    json.beginArray()
    for segment in scrub.damaged { json.string(segment.fileName) }
    json.endArray()
    json.endObject()
  }

  private func disk(_ disk: DiskRoom, into json: inout JSONWriter) {
    json.beginObject()
    json.key("free_bytes")
    if let free = disk.freeByteCount { json.integer(free) } else { json.null() }
    json.key("reserve_bytes")
    json.integer(disk.reserveByteCount)
    json.key("is_short")
    json.boolean(disk.isShort)
    json.endObject()
  }

  private func peerHealth(_ peers: [PeerStatus], into json: inout JSONWriter) {
    json.beginObject()
    for peer in peers {
      json.key(utf8: Array(identity.name(of: peer.node).utf8))
      json.beginObject()
      json.key("status")
      json.string(peer.health.rawValue)
      json.key("last_seen")
      json.optionalSeconds(peer.lastSeenNanoseconds, decimals: 6)
      json.key("clock_offset")
      json.optionalSeconds(peer.clockOffsetNanoseconds, decimals: 9)
      json.key("clock_offset_bound")
      json.optionalSeconds(peer.clockOffsetBoundNanoseconds, decimals: 9)
      json.endObject()
    }
    json.endObject()
  }

  private func replication(_ status: NodeStatus, into json: inout JSONWriter) {
    json.beginObject()
    json.key("pending_payments")
    json.integer(status.pendingPayments)
    json.key("peers")
    json.beginObject()
    for peer in status.peers {
      json.key(utf8: Array(identity.name(of: peer.node).utf8))
      json.beginObject()
      json.key("match_index")
      json.optional(peer.matchIndex) { $0.integer($1.rawValue) }
      json.key("lag_batches")
      json.optional(peer.lagBatches) { $0.integer($1) }
      json.endObject()
    }
    json.endObject()
    json.endObject()
  }
}

extension JSONWriter {
  mutating func optionalSeconds(_ nanoseconds: Int64?, decimals: Int) {
    optional(nanoseconds) { $0.seconds(nanoseconds: $1, decimals: decimals) }
  }
}

extension HTTPProblem {
  /// The body: `{"error":"sentence","code":"…","field":"…"}`.
  var body: [UInt8] {
    var json = JSONWriter(capacity: 256)
    json.beginObject()
    json.key("error")
    json.string(sentence)
    json.key("code")
    json.string(code)
    if let field {
      json.key("field")
      json.string(field)
    }
    if let consistency { json.consistency(consistency) }
    json.endObject()
    return json.bytes
  }
}
