public import Bytes
public import HybridTime

/// A member of the cluster, and where it is found.
public struct ClusterMember: Hashable, Sendable {
  /// Most bytes of an address.
  public static let addressByteCountMax = 64

  /// Its number, never used again for another node.
  public var id: NodeID
  /// Its listener for the other nodes, `host:port`; empty where nobody has said.
  public var peerAddress: String
  /// Its listener for clients, `host:port`; empty where nobody has said.
  public var clientAddress: String
  /// The random number that its data directory was made with, or 0: not known yet. Another
  /// directory under the same number has forgotten the votes of this one.
  public var store: UInt64

  /// A member from its parts.
  public init(
    id: NodeID, peerAddress: String = "", clientAddress: String = "", store: UInt64 = 0
  ) {
    self.store = store
    self.id = id
    self.peerAddress = peerAddress
    self.clientAddress = clientAddress
  }

  /// Whether it can be written: a number, and addresses of visible ASCII within the limit.
  public var isWellFormed: Bool {
    id.rawValue > 0 && [peerAddress, clientAddress].allSatisfy(Self.isAddress)
  }

  private static func isAddress(_ text: String) -> Bool {
    text.utf8.count <= addressByteCountMax && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
  }

  /// Appends number, addresses and store.
  public func encode(into writer: inout ByteWriter) {
    writer.integer(id.rawValue)
    for address in [peerAddress, clientAddress] {
      writer.integer(UInt8(address.utf8.count))
      writer.append(contentsOf: address.utf8)
    }
    writer.integer(store)
  }

  /// Reads a member, and refuses one that is not well formed.
  public init(from reader: inout ByteReader, in bytes: borrowing RawSpan) throws(DecodeError) {
    let start = reader.offset
    id = NodeID(try reader.integer(UInt16.self, in: bytes))
    peerAddress = try Self.address(from: &reader, in: bytes)
    clientAddress = try Self.address(from: &reader, in: bytes)
    store = try reader.integer(UInt64.self, in: bytes)
    guard isWellFormed else { throw .invalidField("member", offset: start) }
  }

  private static func address(
    from reader: inout ByteReader, in bytes: borrowing RawSpan
  ) throws(DecodeError) -> String {
    let count = Int(try reader.integer(UInt8.self, in: bytes))
    return String(decoding: try reader.array(count, in: bytes), as: UTF8.self)
  }
}

/// Who takes part from here on, as an event: the whole configuration, not a difference, so that the
/// last such event before any place in the log tells all (Raft §6).
///
/// | field | form |
/// | --- | --- |
/// | stamp | `Stamp` |
/// | voters, outgoing, learners | each: u8 count, then u16 node numbers, ascending |
/// | members | u8 count, then each: u16 number, u8 length and bytes of both addresses, u64 store; ascending |
public struct MembershipChange: Hashable, Sendable {
  /// Most nodes in each of the three lists.
  public static let listCountMax = 15

  /// Which leader wrote it, and when.
  public var stamp: Stamp
  /// Who decides.
  public var voters: [NodeID]
  /// While the voters change, those before the change; empty otherwise.
  public var outgoing: [NodeID]
  /// Who gets the log and decides nothing.
  public var learners: [NodeID]
  /// Everybody in the three lists, ascending, with addresses.
  public var members: [ClusterMember]

  /// A change from its parts.
  public init(
    stamp: Stamp, voters: [NodeID], outgoing: [NodeID], learners: [NodeID],
    members: [ClusterMember]
  ) {
    self.stamp = stamp
    self.voters = voters
    self.outgoing = outgoing
    self.learners = learners
    self.members = members
  }

  /// Whether it is in its one canonical form and fits into a record.
  public var isWellFormed: Bool {
    let lists = [voters, outgoing, learners]
    let everybody = Set(lists.joined())
    return lists.allSatisfy { $0.count <= Self.listCountMax && Self.ascends($0) }
      && Set(voters).isDisjoint(with: learners) && !voters.isEmpty
      && Self.ascends(members.map(\.id)) && Set(members.map(\.id)) == everybody
      && members.allSatisfy(\.isWellFormed) && byteCount <= Record.byteCountMax
  }

  /// An upper bound of the record's length.
  private var byteCount: Int {
    Record.headerByteCount + 128 + 2 * (voters.count + outgoing.count + learners.count)
      + members.reduce(0) { $0 + 12 + $1.peerAddress.utf8.count + $1.clientAddress.utf8.count }
  }

  private static func ascends(_ ids: [NodeID]) -> Bool {
    zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 }
  }

  /// Appends the event's record. Precondition: ``isWellFormed``.
  public func encode(into writer: inout ByteWriter) {
    precondition(isWellFormed, "a configuration is checked before it is written")
    writer.record(.membership) { writer in
      stamp.encode(into: &writer)
      for list in [voters, outgoing, learners] {
        writer.integer(UInt8(list.count))
        for id in list { writer.integer(id.rawValue) }
      }
      writer.integer(UInt8(members.count))
      for member in members { member.encode(into: &writer) }
    }
  }

  /// Reads the event's body, which must fill `body`.
  public init(_ body: Range<Int>, in bytes: borrowing RawSpan) throws(DecodeError) {
    var reader = ByteReader(body)
    stamp = try Stamp(from: &reader, in: bytes)
    voters = try Self.list(from: &reader, in: bytes)
    outgoing = try Self.list(from: &reader, in: bytes)
    learners = try Self.list(from: &reader, in: bytes)
    members = []
    for _ in 0..<(try reader.integer(UInt8.self, in: bytes)) {
      members.append(try ClusterMember(from: &reader, in: bytes))
    }
    guard reader.isAtEnd, isWellFormed else {
      throw .invalidField("membership", offset: body.lowerBound)
    }
  }

  private static func list(
    from reader: inout ByteReader, in bytes: borrowing RawSpan
  ) throws(DecodeError) -> [NodeID] {
    var list: [NodeID] = []
    for _ in 0..<(try reader.integer(UInt8.self, in: bytes)) {
      list.append(NodeID(try reader.integer(UInt16.self, in: bytes)))
    }
    return list
  }
}
