import Bytes

/// A sealed segment that was moved.
package struct MovedSegment: Hashable, Sendable {
  /// Which.
  package let segment: SegmentID
  /// Where its file is now.
  package let path: String
}

/// Moves old sealed segments to an archive: another directory, mostly of another disk.
///
/// In the log's directory a symbolic link takes the file's place, so every reader finds it as before. A
/// file goes only when its copy is durable and has been read again, byte by byte; nothing is ever
/// deleted.
///
/// HAZARD: where the archive is not mounted, its segments are missing from the log, and a node that
/// starts fetches them from the others.
package struct SegmentMover<FS: LogFileSystem>: Sendable {
  /// What has been kept long enough is moved on to this directory of the archive.
  package static var expiredName: String { "expired" }
  private static var partialSuffix: String { ".partial" }
  private static var linkSuffix: String { ".link" }

  private let fileSystem: FS
  private let log: String
  private let archive: String

  /// A mover from the log in `log` to `archive`, an absolute path.
  package init(_ fileSystem: FS, log: String, archive: String) {
    self.fileSystem = fileSystem
    self.log = log
    self.archive = archive
  }

  /// Moves the sealed segments whose newest event is from before `time`, nanoseconds since 1970 by
  /// corrected time, to the archive, and those from before `expiry` on to its ``expiredName``; nil: none.
  /// The last two segments stay, the writer has them open.
  package func move(before time: Int64, expiry: Int64?) throws(LogError) -> [MovedSegment] {
    let (fileSystem, log) = (fileSystem, log)
    let ids = try files { () throws(FileError) in
      try fileSystem.list(log).compactMap { SegmentID(fileName: $0) }.sorted()
    }
    var moved: [MovedSegment] = []
    for id in ids.dropLast(2) {
      let from = try files { () throws(FileError) in
        try fileSystem.linkTarget("\(log)/\(id.fileName)")
      }
      if from != nil, expiry == nil { continue }
      let newest = try files { () throws(FileError) in
        try FooterInFile(try fileSystem.open("\(log)/\(id.fileName)", .read))?.footer.totals
          .correctedMax
      }
      guard let newest, newest < time else { continue }
      let isExpired = expiry.map { newest < $0 } ?? false
      let target = (isExpired ? "\(archive)/\(Self.expiredName)" : archive) + "/\(id.fileName)"
      guard from != target else { continue }
      try move(id, to: target, from: from)
      moved.append(MovedSegment(segment: id, path: target))
    }
    return moved
  }

  private func move(_ id: SegmentID, to target: String, from old: String?) throws(LogError) {
    let (fileSystem, log) = (fileSystem, log)
    let place = "\(log)/\(id.fileName)"
    try copy(place, to: target)
    guard try isSame(place, target) else { throw .sealMismatch(id) }
    try files { () throws(FileError) in
      let link = place + Self.linkSuffix
      if try fileSystem.list(log).contains(id.fileName + Self.linkSuffix) {
        try fileSystem.remove(link)
      }
      try fileSystem.link(link, to: target)
      try fileSystem.rename(link, to: place)
      try fileSystem.syncDirectory(log)
      // Only now is the old file nobody's.
      if let old, old != target { try fileSystem.remove(old) }
    }
  }

  private func copy(_ path: String, to target: String) throws(LogError) {
    let fileSystem = fileSystem
    let slash = target.lastIndex(of: "/") ?? target.startIndex
    let directory = String(target[..<slash])
    try files { () throws(FileError) in
      try fileSystem.createDirectory(directory)
      let partial = target + Self.partialSuffix
      try? fileSystem.remove(partial)
      try fileSystem.copy(path, to: partial)
      try fileSystem.rename(partial, to: target)
      try fileSystem.syncDirectory(directory)
    }
  }

  private func isSame(_ left: String, _ right: String) throws(LogError) -> Bool {
    let fileSystem = fileSystem
    return try files { () throws(FileError) in
      let (first, second) = (
        try fileSystem.open(left, .read), try fileSystem.open(right, .read)
      )
      var isSame = try first.size() == second.size()
      try fileSystem.forEachPiece(of: left) { piece, offset throws(FileError) in
        if isSame { isSame = try second.read(at: offset, count: piece.count) == piece }
        return isSame
      }
      return isSame
    }
  }
}
