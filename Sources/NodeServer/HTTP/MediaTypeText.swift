/// Reads the Content-Type field (RFC 9110 §8.3.1).
enum MediaTypeText {
  /// Whether a media type is application/json, with whatever parameters.
  static func isJSON(_ value: String) -> Bool {
    if value == "application/json" { return true }
    let end = value.utf8.firstIndex(of: UInt8(ascii: ";")) ?? value.endIndex
    let type = value[..<end].utf8.filter { $0 != 0x20 && $0 != 0x09 }
    return type.elementsEqual("application/json".utf8) { left, right in
      left == right || (65...90).contains(left) && left | 0x20 == right
    }
  }
}
