import Bytes
import HybridTime
import Ledger

extension OperatorRequest {
  private enum Form: UInt8 {
    case addLearner = 1
    case promote, demote, remove, replace, transferLeadership, setPolicy
  }

  /// Appends the request: a form, then its fields.
  func encode(into writer: inout ByteWriter) {
    func write(_ form: Form, _ nodes: NodeID?...) {
      writer.integer(form.rawValue)
      for node in nodes { writer.integer(node?.rawValue ?? 0) }
    }
    switch self {
    case .addLearner(let member):
      write(.addLearner)
      member.encode(into: &writer)
    case .promote(let node): write(.promote, node)
    case .demote(let node): write(.demote, node)
    case .remove(let node): write(.remove, node)
    case .replace(let old, let new): write(.replace, old, new)
    case .transferLeadership(let target): write(.transferLeadership, target)
    case .setPolicy(let key, let value):
      write(.setPolicy)
      writer.integer(key.rawValue)
      writer.integer(value)
    }
  }

  /// Reads what ``encode(into:)`` wrote.
  init(from reader: inout ByteReader, in bytes: borrowing RawSpan) throws(DecodeError) {
    let start = reader.offset
    guard let form = Form(rawValue: try reader.integer(UInt8.self, in: bytes)) else {
      throw .invalidField("request.form", offset: start)
    }
    switch form {
    case .addLearner: self = .addLearner(try ClusterMember(from: &reader, in: bytes))
    case .promote: self = .promote(try Self.node(from: &reader, in: bytes))
    case .demote: self = .demote(try Self.node(from: &reader, in: bytes))
    case .remove: self = .remove(try Self.node(from: &reader, in: bytes))
    case .replace:
      let old = try Self.node(from: &reader, in: bytes)
      self = .replace(old, with: try Self.node(from: &reader, in: bytes))
    case .transferLeadership:
      let number = try reader.integer(UInt16.self, in: bytes)
      self = .transferLeadership(to: number == 0 ? nil : NodeID(number))
    case .setPolicy:
      guard let key = PolicyKey(rawValue: try reader.integer(UInt16.self, in: bytes)) else {
        throw .invalidField("request.policy", offset: start)
      }
      self = .setPolicy(key, to: try reader.integer(Int64.self, in: bytes))
    }
  }

  private static func node(
    from reader: inout ByteReader, in bytes: borrowing RawSpan
  ) throws(DecodeError) -> NodeID {
    let start = reader.offset
    let number = try reader.integer(UInt16.self, in: bytes)
    guard number > 0 else { throw .invalidField("request.node", offset: start) }
    return NodeID(number)
  }
}

extension OperatorResult {
  /// Appends the result: 0 and the index, or the refusal's number.
  func encode(into writer: inout ByteWriter) {
    switch self {
    case .done(let index):
      writer.integer(UInt8(0))
      writer.integer(index.rawValue)
    case .refused(let refusal): writer.integer(refusal.rawValue)
    }
  }

  /// Reads what ``encode(into:)`` wrote.
  init(from reader: inout ByteReader, in bytes: borrowing RawSpan) throws(DecodeError) {
    let start = reader.offset
    let number = try reader.integer(UInt8.self, in: bytes)
    if number == 0 {
      self = .done(LogIndex(try reader.integer(UInt64.self, in: bytes)))
      return
    }
    guard let refusal = OperatorRefusal(rawValue: number) else {
      throw .invalidField("result.refusal", offset: start)
    }
    self = .refused(refusal)
  }
}
