package import Bytes

/// A tree's size and root, as a text to be signed (C2SP tlog-checkpoint).
package struct Checkpoint: Hashable, Sendable {
  /// Which log.
  package let origin: String
  /// How many events.
  package let size: UInt64
  /// The root of the tree over them.
  package let root: Digest256
  /// Further lines, signed with the rest.
  package let extensions: [String]

  /// A checkpoint from its parts.
  ///
  /// Precondition: origin and extensions are lines that are not empty.
  package init(origin: String, size: UInt64, root: Digest256, extensions: [String] = []) {
    precondition(
      ([origin] + extensions).allSatisfy { !$0.isEmpty && !$0.contains("\n") },
      "a checkpoint is of lines")
    self.origin = origin
    self.size = size
    self.root = root
    self.extensions = extensions
  }

  /// Reads a note's text.
  package init(parsing text: String) throws(EvidenceError) {
    guard text.hasSuffix("\n") else { throw .malformedCheckpoint }
    let lines = text.dropLast().split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count >= 3, lines.allSatisfy({ !$0.isEmpty }),
      let size = DecimalLine.number(lines[1]), let root = Digest256(base64: lines[2])
    else { throw .malformedCheckpoint }
    self.init(
      origin: String(lines[0]), size: size, root: root,
      extensions: lines.dropFirst(3).map { String($0) })
  }

  /// The text that is signed.
  package var text: String {
    ([origin, "\(size)", root.bytes.base64] + extensions).map { $0 + "\n" }.joined()
  }
}

/// Numbers in lines of evidence.
package enum DecimalLine {
  /// A number of ASCII digits without leading zeros, or nil.
  package static func number(_ text: some StringProtocol) -> UInt64? {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      text.utf8.first != 0x30 || text.utf8.count == 1
    else { return nil }
    return UInt64(text)
  }
}

extension Digest256 {
  /// A digest from base 64, or nil.
  package init?(base64 text: some StringProtocol) {
    guard let bytes = [UInt8](base64: String(text)), bytes.count == Self.byteCount else {
      return nil
    }
    self.init(at: 0, in: bytes.span.bytes)
  }
}
