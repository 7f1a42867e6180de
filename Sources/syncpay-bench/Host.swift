import FoundationEssentials
import Glibc

/// Standard output and standard error.
enum Terminal {
  /// Writes a report to standard output.
  static func print(_ bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }

  /// Writes a line to standard error.
  static func note(_ line: String) {
    endProgress()
    write(Array("syncpay-bench: \(line)\n".utf8), to: STDERR_FILENO)
  }

  /// Shows what goes on, on a terminal only.
  static func progress(_ line: String) {
    if isShown { write(Array("\r\(line)\u{1B}[K".utf8), to: STDERR_FILENO) }
  }

  /// Removes what ``progress(_:)`` has shown.
  static func endProgress() {
    if isShown { write(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO) }
  }

  private static let isShown = isatty(STDERR_FILENO) == 1

  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    var start = 0
    while start < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress.map { $0 + start }, $0.count - start)
      }
      if count < 0 && errno != EINTR { return }
      start += max(count, 0)
    }
  }
}

/// Small files, directories, places.
enum Files {
  /// The first 64 KiB of a file, `/proc` included, where a file's size is not known before.
  static func small(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return String(decoding: all(of: descriptor, byteCountMax: 65_536), as: UTF8.self)
  }

  /// Everything up to the end or the limit.
  static func all(of descriptor: Int32, byteCountMax: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: byteCountMax)
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes {
        read(descriptor, $0.baseAddress.map { $0 + count }, $0.count - count)
      }
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else { break }
      count += got
    }
    return Array(bytes[..<count])
  }

  /// A number of `/proc/self/status`; 0 where it is not there.
  static func statusNumber(_ name: String, of process: String = "self") -> Int {
    let line = small("/proc/\(process)/status")?.split(separator: "\n").first { $0.hasPrefix(name) }
    return line?.split { $0 == " " || $0 == "\t" }.dropFirst().first.flatMap { Int($0) } ?? 0
  }

  /// The last lines of a file.
  static func lastLines(_ count: Int, of path: String) -> String {
    let bytes = FileManager.default.contents(atPath: path)?.suffix(16_384) ?? Data()
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").suffix(count)
    return lines.joined(separator: "\n")
  }

  static func write(_ bytes: [UInt8], to path: String) throws(BenchFailure) {
    guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
      throw BenchFailure("\(path) cannot be written.")
    }
  }

  /// Bytes of all files in a directory and those in it.
  static func byteCount(under directory: String) -> Int {
    let files = (try? FileManager.default.subpathsOfDirectory(atPath: directory)) ?? []
    return files.reduce(0) { sum, name in
      var status = stat()
      guard lstat("\(directory)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        return sum
      }
      return sum + Int(status.st_size)
    }
  }

  /// The directory that this program lies in.
  static var ownDirectory: String {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return "/" + own.split(separator: "/").dropLast().joined(separator: "/")
  }

  /// The kind of file system that holds a path (proc(5), `/proc/self/mountinfo`): on a `tmpfs`,
  /// nothing is durable.
  static func fileSystemName(_ path: String) -> String {
    var best: (point: Substring, name: Substring) = ("", "unknown")
    for line in (small("/proc/self/mountinfo") ?? "").split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count, dash > 4 else {
        continue
      }
      let point = fields[4]
      let holds = point == "/" || path == point || path.hasPrefix(point + "/")
      if holds, point.count >= best.point.count { best = (point, fields[dash + 1]) }
    }
    return String(best.name)
  }
}

/// A fresh directory that ``remove()`` takes away, and an interruption too.
struct ScratchDirectory: Sendable {
  let path: String
  private let token: Int

  /// Makes a directory under `parent`; by default in `TMPDIR`, or `/var/tmp`, which is on a disk
  /// where `/tmp` may not be.
  init(in parent: String? = nil) throws(BenchFailure) {
    let home = parent ?? getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
    var template = Array("\(home)/syncpay-bench-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw BenchFailure("No directory can be made in \(home): \(String(cString: strerror(errno)))")
    }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    self.path = path
    token = Interruption.onEnd { try? FileManager.default.removeItem(atPath: path) }
  }

  /// Removes it with all that is in it.
  func remove() { Interruption.perform(token) }
}
