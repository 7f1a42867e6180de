package import Bytes

/// What the events so far say of the cluster itself: part of the ledger, so that all nodes, audits
/// and snapshots agree on it.
package struct ClusterFacts: Hashable, Sendable {
  /// The rules that all nodes follow.
  package private(set) var policy = ClusterPolicy()
  /// The last change of members, or nil: the cluster is as its configuration files say.
  package private(set) var membership: MembershipChange?
  /// The greatest number that a member ever had: numbers are not used twice.
  package private(set) var memberNumberMax = NodeID(0)
  /// Whether payments meet other rules than a ledger's that is open to all.
  package private(set) var hasAccountRules = false

  /// Nothing has been said yet.
  package init() {}

  /// Takes over what an event says; payments and clock reports say nothing.
  package mutating func take(_ event: Event) {
    switch event {
    case .membership(let change): setMembership(change)
    case .policy(let change): setPolicy(change.key, to: change.value)
    case .payment, .clockReport, .beacon, .leadership, .clockMeasurement, .logProgress,
      .occurrence:
      break
    }
  }

  private mutating func setMembership(_ change: MembershipChange) {
    membership = change
    memberNumberMax = max(memberNumberMax, change.members.last?.id ?? memberNumberMax)
  }

  private mutating func setPolicy(_ key: PolicyKey, to value: Int64) {
    policy.set(key, to: value)
    hasAccountRules = policy[.accountsOpen] == 0 || policy[.overdraft] == 0
  }

  /// Appends all of it, for a snapshot: u8 count, then each rule that is set as u16 key and zigzag
  /// varint; u16, the greatest number of a member; then the last change of members as its record,
  /// if there is one.
  package func encode(into writer: inout ByteWriter) {
    let set = PolicyKey.allCases.filter { policy.isSet($0) }
    writer.integer(UInt8(set.count))
    for key in set {
      writer.integer(key.rawValue)
      writer.signedVarint(policy[key])
    }
    writer.integer(memberNumberMax.rawValue)
    membership?.encode(into: &writer)
  }

  /// Reads what ``encode(into:)`` wrote, which must fill `bytes`.
  package init(decoding bytes: borrowing RawSpan) throws(DecodeError) {
    var reader = ByteReader(bytes)
    for _ in 0..<(try reader.integer(UInt8.self, in: bytes)) {
      let start = reader.offset
      let key = PolicyKey(rawValue: try reader.integer(UInt16.self, in: bytes))
      let value = try reader.signedVarint(in: bytes)
      guard let key, key.range.contains(value), !policy.isSet(key) else {
        throw .invalidField("facts.policy", offset: start)
      }
      setPolicy(key, to: value)
    }
    let numberOffset = reader.offset
    let numberMax = NodeID(try reader.integer(UInt16.self, in: bytes))
    memberNumberMax = numberMax
    guard !reader.isAtEnd else {
      guard numberMax == NodeID(0) else {
        throw .invalidField("facts.number", offset: numberOffset)
      }
      return
    }
    let rest = reader.offset
    var cursor = RecordCursor(bytes.extracting(rest...))
    let records = bytes.extracting(rest...)
    guard let record = try cursor.next(in: records), record.kind == .membership,
      try cursor.next(in: records) == nil
    else { throw .invalidField("facts.membership", offset: rest) }
    setMembership(try MembershipChange(record.body, in: records))
    guard memberNumberMax == numberMax else {
      throw .invalidField("facts.number", offset: numberOffset)
    }
  }
}
