public import Bytes
public import HybridTime

/// Something that a node saw, and that an auditor may ask about. Nodes keep these in their journals.
///
/// | field | form |
/// | --- | --- |
/// | stamp | `Stamp`: when, by the node's own clock |
/// | topic | u8, ``Topic`` |
/// | peer | varint: the node that it is about, 0 for none |
/// | number | varint: what it counts, see ``Topic`` |
/// | id | u8 length, then the transaction id's text; empty where it is about none |
/// | word | u8 length, then what became of it, UTF-8 |
public struct NodeOccurrence: Hashable, Sendable {
  /// What it is about.
  public enum Topic: UInt8, Sendable, CaseIterable {
    /// The node began to work; the number is its log's last index.
    case started = 1
    /// The node was asked to stop, and did.
    case stopped = 2
    /// Its role changed: the word is the role, the peer the leader, the number the term.
    case role = 3
    /// A peer's health changed: the word is the verdict.
    case peerHealth = 4
    /// Its clock's state changed: the word is its status and reference, the number the epoch.
    case clock = 5
    /// It refused a payment: the word is the reason.
    case paymentRefused = 6
    /// It refused what a peer sent: the word is the reason.
    case peerRefused = 7
    /// A leader's batches replaced what was in its log, uncommitted, from the index that the number is.
    case truncated = 8
    /// A peer's ledger is not its own at the index that the number is.
    case ledgerDiffers = 9
    /// It handed leadership over, or could not: the word tells.
    case transfer = 10
    /// It is no member any more.
    case removed = 11
    /// The journal lacks as many records as the number says: there were more than it could write.
    case lost = 12
    /// A peer has signed another log than this one, up to the index that the number is.
    case contradicted = 13

    /// Stable name, snake case.
    public var name: String {
      switch self {
      case .started: "started"
      case .stopped: "stopped"
      case .role: "role"
      case .peerHealth: "peer_health"
      case .clock: "clock"
      case .paymentRefused: "payment_refused"
      case .peerRefused: "peer_refused"
      case .truncated: "truncated"
      case .ledgerDiffers: "ledger_differs"
      case .transfer: "transfer"
      case .removed: "removed"
      case .lost: "journal_lost"
      case .contradicted: "contradicted"
      }
    }
  }

  /// Most bytes of ``word``.
  public static let wordByteCountMax = 120

  /// When, and which node.
  public var stamp: Stamp
  /// What it is about.
  public var topic: Topic
  /// The node that it is about, if any.
  public var peer: NodeID?
  /// What it counts.
  public var number: UInt64
  /// The transaction that it is about, if any.
  public var id: TransactionID?
  /// What became of it. Invariant: at most ``wordByteCountMax`` bytes of UTF-8.
  public let word: String

  /// An occurrence from its fields; a word that is too long is cut.
  public init(
    stamp: Stamp, topic: Topic, peer: NodeID? = nil, number: UInt64 = 0, id: TransactionID? = nil,
    word: String = ""
  ) {
    self.stamp = stamp
    self.topic = topic
    self.peer = peer
    self.number = number
    self.id = id
    var word = word
    while word.utf8.count > Self.wordByteCountMax { word.removeLast() }
    self.word = word
  }

  /// Appends the occurrence's record.
  public func encode(into writer: inout ByteWriter) {
    writer.record(.occurrence) { writer in
      stamp.encode(into: &writer)
      writer.integer(topic.rawValue)
      writer.varint(UInt64(peer?.rawValue ?? 0))
      writer.varint(number)
      let text = id?.bytes ?? []
      writer.integer(UInt8(truncatingIfNeeded: text.count))
      writer.append(contentsOf: text)
      writer.integer(UInt8(truncatingIfNeeded: word.utf8.count))
      writer.append(contentsOf: Array(word.utf8))
    }
  }

  /// Reads an occurrence's body, which must fill `body`.
  public init(_ body: Range<Int>, in bytes: borrowing RawSpan) throws(DecodeError) {
    var reader = ByteReader(body)
    let stamp = try Stamp(from: &reader, in: bytes)
    let start = reader.offset
    guard let topic = Topic(rawValue: try reader.integer(UInt8.self, in: bytes)) else {
      throw .invalidField("occurrence.topic", offset: start)
    }
    let peer = try reader.varint(in: bytes)
    guard peer <= UInt64(NodeID.countMax) else {
      throw .invalidField("occurrence.peer", offset: start)
    }
    let number = try reader.varint(in: bytes)
    let idOffset = reader.offset
    let text = try reader.skip(Int(try reader.integer(UInt8.self, in: bytes)))
    var id: TransactionID?
    if !text.isEmpty {
      do { id = try TransactionID(validating: bytes.extracting(text)) } catch {
        throw .invalidField("occurrence.id", offset: idOffset)
      }
    }
    let wordOffset = reader.offset
    let range = try reader.skip(Int(try reader.integer(UInt8.self, in: bytes)))
    guard range.count <= Self.wordByteCountMax,
      let word = bytes.extracting(range).withUnsafeBytes({
        String(validating: $0, as: UTF8.self)
      })
    else { throw .invalidField("occurrence.word", offset: wordOffset) }
    guard reader.isAtEnd else { throw .invalidField("occurrence.end", offset: reader.offset) }
    self.init(
      stamp: stamp, topic: topic, peer: peer == 0 ? nil : NodeID(UInt16(peer)), number: number,
      id: id, word: word)
  }
}
