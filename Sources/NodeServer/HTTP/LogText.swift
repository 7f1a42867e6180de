import Evidence
import JSONText
import SegmentLog

/// Which piece of a segment is asked for.
struct SegmentQuery: Hashable {
  /// Where it begins, bytes.
  let offset: UInt64

  /// Reads the query of `GET /v1/log/{segment}`.
  init(_ query: Substring) throws(HTTPProblem) {
    let text = try QueryText(query, known: ["offset"])
    guard let bytes = text["offset"] else {
      offset = 0
      return
    }
    guard let offset = DecimalLine.number(String(decoding: bytes, as: UTF8.self)) else {
      throw HTTPProblem(
        400, "parameter_invalid", "offset must be a whole number of bytes", field: "offset")
    }
    self.offset = offset
  }
}

extension HTTPProblem {
  static func segmentUnknown(_ name: String) -> HTTPProblem {
    HTTPProblem(
      404, "segment_unknown", "There is no segment \(name.prefix(40)) here; GET /v1/log lists them")
  }
}

extension AnswerText {
  /// `GET /v1/log`.
  func segments(_ extents: [SegmentExtent]) -> [UInt8] {
    var json = JSONWriter(capacity: 64 + 96 * extents.count)
    json.beginObject()
    json.key("segments")
    json.beginArray()
    for extent in extents {
      json.beginObject()
      json.key("name")
      json.string(extent.id.fileName)
      json.key("bytes")
      json.integer(extent.byteCount)
      json.key("sealed")
      json.boolean(extent.isSealed)
      json.endObject()
    }
    json.endArray()
    json.endObject()
    return json.bytes
  }
}
