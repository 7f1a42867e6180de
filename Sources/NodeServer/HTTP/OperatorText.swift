import Bytes
import JSONText
import Ledger
import Raft
import Replica

/// What operators read: members, leader, rules.
extension AnswerText {
  /// `GET /v1/members`.
  func members(_ status: NodeStatus, _ consistency: ReadConsistency) -> [UInt8] {
    var json = JSONWriter(capacity: 1024)
    json.beginObject()
    leadership(status, into: &json)
    json.key("index")
    json.integer(status.membershipIndex.rawValue)
    json.key("changing")
    json.boolean(status.isChangingMembers)
    json.key("members")
    members(status, into: &json)
    json.consistency(consistency)
    json.endObject()
    return json.bytes
  }

  /// `GET /v1/leader`.
  func leader(_ status: NodeStatus, _ consistency: ReadConsistency) -> [UInt8] {
    var json = JSONWriter(capacity: 256)
    json.beginObject()
    leadership(status, into: &json)
    json.consistency(consistency)
    json.endObject()
    return json.bytes
  }

  /// `GET /v1/policy`.
  func policy(_ status: NodeStatus, _ consistency: ReadConsistency) -> [UInt8] {
    var json = JSONWriter(capacity: 2048)
    json.beginObject()
    json.key("node_id")
    json.string(identity.name)
    json.key("applied_index")
    json.integer(status.appliedIndex.rawValue)
    json.key("policy")
    json.beginArray()
    for key in PolicyKey.allCases { rule(key, status.policy, into: &json) }
    json.endArray()
    json.consistency(consistency)
    json.endObject()
    return json.bytes
  }

  /// An operator's request is carried out, as of `index`.
  func done(_ index: LogIndex) -> [UInt8] {
    var json = JSONWriter(capacity: 128)
    json.beginObject()
    json.key("status")
    json.string("done")
    json.key("index")
    json.integer(index.rawValue)
    json.key("node_id")
    json.string(identity.name)
    json.endObject()
    return json.bytes
  }

  /// The members' list, of `GET /status` too.
  func members(_ status: NodeStatus, into json: inout JSONWriter) {
    json.beginArray()
    for member in status.members {
      json.beginObject()
      json.key("id")
      json.integer(UInt64(member.id.rawValue))
      json.key("name")
      json.string(identity.name(of: member.id))
      json.key("role")
      json.string(member.role.rawValue)
      json.key("peer")
      json.optional(member.peerAddress) { $0.string($1) }
      json.key("client")
      json.optional(member.clientAddress) { $0.string($1) }
      json.key("health")
      json.string(member.health.rawValue)
      json.key("match_index")
      json.optional(member.matchIndex) { $0.integer($1.rawValue) }
      json.key("lag_batches")
      json.optional(member.lagBatches) { $0.integer($1) }
      json.endObject()
    }
    json.endArray()
  }

  /// The rules that events have set, by name.
  func policyValues(_ policy: ClusterPolicy, into json: inout JSONWriter) {
    json.beginObject()
    for key in PolicyKey.allCases where policy.isSet(key) {
      json.key(utf8: Array(key.name.utf8))
      json.string(key.text(of: policy[key]))
    }
    json.endObject()
  }

  /// Messages that no correct peer sends, by kind.
  func faults(_ faults: RaftFaults, into json: inout JSONWriter) {
    json.beginObject()
    json.key("own_number")
    json.integer(faults.ownNumber)
    json.key("malformed")
    json.integer(faults.malformed)
    json.key("conflict_at_commit")
    json.integer(faults.conflictAtCommit)
    json.key("second_leader")
    json.integer(faults.secondLeader)
    json.key("beyond_log")
    json.integer(faults.beyondLog)
    json.endObject()
  }

  /// Stamps that were too far ahead, by the node that made them.
  func stampRefusals(_ refusals: [NodeID: StampRefusals], into json: inout JSONWriter) {
    json.beginArray()
    for (node, refused) in refusals.sorted(by: { $0.key < $1.key }) {
      json.beginObject()
      json.key("node")
      json.string(identity.name(of: node))
      json.key("count")
      json.integer(refused.count)
      json.key("ahead_max")
      json.seconds(nanoseconds: refused.aheadNanosecondsMax, decimals: 9)
      json.endObject()
    }
    json.endArray()
  }

  private func leadership(_ status: NodeStatus, into json: inout JSONWriter) {
    json.key("node_id")
    json.string(identity.name)
    json.key("leader")
    json.optional(status.leader) { $0.string(identity.name(of: $1)) }
    json.key("leader_id")
    json.optional(status.leader) { $0.integer(UInt64($1.rawValue)) }
    json.key("term")
    json.integer(status.term.rawValue)
  }

  private func rule(
    _ key: PolicyKey, _ policy: ClusterPolicy, into json: inout JSONWriter
  ) {
    json.beginObject()
    json.key("key")
    json.string(key.name)
    json.key("value")
    json.optional(effective(key, policy)) { $0.string(key.text(of: $1)) }
    json.key("set")
    json.boolean(policy.isSet(key))
    json.key("values")
    json.string(key.valuesText)
    json.endObject()
  }

  /// What holds now; nil where nothing is agreed, and each leader follows its own settings.
  private func effective(_ key: PolicyKey, _ policy: ClusterPolicy) -> Int64? {
    switch key {
    case .segmentBytes, .compressionLevel: policy.isSet(key) ? policy[key] : nil
    case .indexBytes, .archiveAfterDays, .retainDays, .clockPolicy, .clockToleranceMicroseconds,
      .accountsOpen, .overdraft:
      policy[key]
    }
  }
}
