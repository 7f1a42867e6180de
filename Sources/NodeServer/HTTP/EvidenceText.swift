import Bytes
package import Evidence
import JSONText
package import Ledger
import NodeRuntime
import SegmentLog

/// What a node can prove of one transaction id.
package enum ReceiptState: Sendable {
  /// The payment was applied, and this proves that it is in the log.
  case proven(ProofFile)
  /// It is in the log, and moved no money: there are no receipts for that.
  case rejected(OutcomeCode)
  /// It is being worked on, or no signed checkpoint tells of it yet.
  case pending
  /// Not known here.
  case unknown
  /// The log cannot be read.
  case unreadable(ReadProblem)
}

/// Which proof of consistency is asked for.
struct ConsistencyQuery: Hashable {
  /// Events of the older tree.
  let from: UInt64

  /// Reads the query of `GET /v1/consistency`.
  init(_ query: Substring) throws(HTTPProblem) {
    let text = try QueryText(query, known: ["from"])
    guard let from = try text.size("from") else {
      throw HTTPProblem(
        400, "parameter_missing", "from must be the size of an earlier checkpoint", field: "from")
    }
    self.from = from
  }
}

extension QueryText {
  fileprivate func size(_ name: String) throws(HTTPProblem) -> UInt64? {
    guard let bytes = self[name] else { return nil }
    guard let size = DecimalLine.number(String(decoding: bytes, as: UTF8.self)) else {
      throw HTTPProblem(
        400, "parameter_invalid", "\(name) must be a checkpoint's size, a whole number", field: name
      )
    }
    return size
  }
}

extension HTTPProblem {
  /// No majority has signed the log as far as is asked.
  static let unsigned = HTTPProblem(
    503, "not_signed_yet",
    "No checkpoint that a majority of the nodes has signed tells of this yet; ask again",
    retryAfterSeconds: 1)

  /// Too few keys are known.
  static let keysUnknown = HTTPProblem(
    503, "keys_unknown",
    "This node has not heard the keys of a majority yet; ask again, or ask another node",
    retryAfterSeconds: 1)

  static func notApplied(_ code: OutcomeCode) -> HTTPProblem {
    HTTPProblem(
      409, "not_applied",
      "The payment is in the log and moved no money (\(code.name)); there are receipts only for "
        + "payments that did")
  }

  static func beyondCheckpoint(_ size: UInt64) -> HTTPProblem {
    HTTPProblem(
      400, "parameter_invalid",
      "from must be at most \(size), which the newest checkpoint tells of", field: "from")
  }
}

extension AnswerText {
  /// The evidence in `GET /status`: the newest signed checkpoint, and the nodes' keys.
  func evidence(_ status: EvidenceStatus, into json: inout JSONWriter) {
    json.key("checkpoint")
    json.optional(status.checkpoint) { json, checkpoint in
      json.beginObject()
      json.key("index")
      json.integer(checkpoint.index.rawValue)
      json.key("size")
      json.integer(checkpoint.lastSequence.rawValue)
      json.key("root")
      json.string(checkpoint.root.bytes.base64)
      json.endObject()
    }
    json.key("keys")
    json.beginObject()
    for (node, keys) in status.keys.sorted(by: { $0.key < $1.key }) {
      json.key(utf8: Array(identity.name(of: node).utf8))
      json.beginObject()
      json.key("log")
      json.string(keys.log.description)
      json.key("witness")
      json.string(keys.witness.description)
      json.endObject()
    }
    json.endObject()
  }
}
