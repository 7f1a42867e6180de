package import SegmentLog

/// Where one node's logs are.
package struct LogSource: Hashable, Sendable {
  /// The directory as it was given: how reports name the node.
  package let label: String
  /// The directory of the replicated log's segments.
  package let log: String
  /// The directory of the journal's segments, where there is one.
  package let journal: String?

  /// Finds the logs in a node's data directory, or takes the directory as a log itself.
  ///
  /// Errors: it cannot be listed, is empty, or holds neither.
  package init(_ path: String, in files: some LogFileSystem) throws(AuditError) {
    let directory = Self.withoutTrailingSlashes(path)
    let names = try filing { () throws(FileError) in try files.list(directory) }
    label = directory
    if names.contains("log"), Self.isDirectory("\(directory)/log", in: files) {
      log = "\(directory)/log"
      let hasJournal =
        names.contains("journal") && Self.isDirectory("\(directory)/journal", in: files)
      journal = hasJournal ? "\(directory)/journal" : nil
      return
    }
    guard !names.isEmpty else { throw .emptyDirectory(directory) }
    guard names.contains(where: { SegmentID(fileName: $0) != nil }) else {
      throw .notALog(directory)
    }
    log = directory
    journal = nil
  }

  private static func isDirectory(_ path: String, in files: some LogFileSystem) -> Bool {
    (try? files.list(path)) != nil
  }

  /// The directory that a path's last part is in.
  static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  static func withoutTrailingSlashes(_ path: String) -> String {
    var path = path[...]
    while path.utf8.count > 1 && path.hasSuffix("/") { path = path.dropLast() }
    return String(path)
  }
}
