import Audit
import Bytes
import HostFiles
import SegmentLog
import Testing

@Suite struct MoverTests {
  private let files = PosixFileSystem()

  /// The newest corrected time of each segment, by the log's batches.
  private func newest(_ signed: SignedCluster) -> [Int64] {
    var times: [Int64] = []
    for batch in signed.cluster.batches {
      if batch.header.startsSegment { times.append(.min) }
      times[times.count - 1] = max(times[times.count - 1], batch.header.correctedMax)
    }
    return times
  }

  @Test func `old segments are moved, linked and read as before, and nothing is ever deleted`()
    throws
  {
    let signed = try SignedCluster(batches: 48)
    let times = newest(signed)
    let log = "\(signed.cluster.data(1))/log"
    let archive = "\(signed.cluster.directory.path)/archive"
    let names = try files.list(log)
    let bytes = try names.map { try fileBytes("\(log)/\($0)") }
    let mover = SegmentMover(files, log: log, archive: archive)
    #expect(try mover.move(before: times[0], expiry: nil).isEmpty)

    // What a stop in the middle left is no hindrance.
    try files.createDirectory(archive)
    for path in ["\(archive)/\(names[0]).partial", "\(log)/\(names[0]).link"] {
      try files.open(path, .create).write([1, 2, 3].span.bytes, at: 0)
    }
    let moved = try mover.move(before: times[2], expiry: nil)
    #expect(moved.map(\.path) == names.prefix(2).map { "\(archive)/\($0)" })
    #expect(try mover.move(before: times[2], expiry: nil).isEmpty)
    #expect(try files.list(log) == names && files.list(archive) == Array(names.prefix(2)))
    #expect(try files.linkTarget("\(log)/\(names[0])") == "\(archive)/\(names[0])")
    #expect(try files.linkTarget("\(log)/\(names[2])") == nil)

    // All of them are old, but the last two are in use.
    let later = try mover.move(before: .max, expiry: times[1])
    #expect(
      later.map(\.path) == ["\(archive)/expired/\(names[0])"]
        + names[2...].dropLast(2).map { "\(archive)/\($0)" })
    #expect(try files.list("\(archive)/expired") == [names[0]])
    for (name, whole) in zip(names, bytes) { #expect(try fileBytes("\(log)/\(name)") == whole) }
    #expect(try !verify([signed.cluster.data(1), signed.cluster.data(2)]).hasFault)
    // A node opens it, and goes on.
    let store = try SegmentStore.open(
      files, directory: log, clusterID: SignedCluster.id, visiting: { _ in })
    #expect(store.lastIndex == LogIndex(48))
  }

  @Test func `an archive that cannot be written leaves the log as it is`() throws {
    let signed = try SignedCluster()
    let log = "\(signed.cluster.data(1))/log"
    let file = "\(signed.cluster.directory.path)/file"
    try files.open(file, .create).write([1].span.bytes, at: 0)
    let mover = SegmentMover(files, log: log, archive: "\(file)/archive")
    #expect(throws: LogError.self) { try mover.move(before: .max, expiry: nil) }
    #expect(try !verify([signed.cluster.data(1)]).hasFault)
    for name in try files.list(log) { #expect(try files.linkTarget("\(log)/\(name)") == nil) }
  }
}
