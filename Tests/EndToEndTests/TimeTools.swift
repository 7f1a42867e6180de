import Foundation
import Glibc

/// Time daemons of others and libfaketime: as tools/test.sh unpacks them, or as they are installed.
enum TimeTools {
  static let chronyd = program("chronyd", ["-v"])
  /// Only where the right to set the clock can be taken from it: it would tell the kernel that the clock is
  /// disciplined, which outlives the test.
  static let ntpd =
    FileManager.default.isExecutableFile(atPath: withoutClockRight[0])
    ? program("ntpd", ["--version"]) : nil
  static let withoutClockRight = [
    "/usr/bin/setpriv", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time",
  ]
  static let fakeTime =
    found("usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
    ?? found("usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1")

  private static let unpacked = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "../../.build/time-tools/root").standardized.path

  private static func found(_ path: String) -> String? {
    [unpacked + "/" + path, "/" + path].first { FileManager.default.fileExists(atPath: $0) }
  }

  /// A daemon that starts here: what it is linked with may be missing.
  private static func program(_ name: String, _ versionFlag: [String]) -> String? {
    let path = found("usr/sbin/\(name)")
    return path.flatMap { (try? run($0, versionFlag))?.status == 0 ? $0 : nil }
  }
}

/// A real NTP server on loopback that serves this host's clock, or one that libfaketime has moved. None of
/// them touches the host's clock.
final class TimeDaemon: Sendable {
  let endpoint: Endpoint
  private let process: ChildProcess
  private let directory: String

  var address: String { "\(endpoint.host):\(endpoint.port)" }

  /// chronyd (-x: without control of the clock); `offset` as libfaketime takes it.
  init(chronyd: String, offset: String? = nil, port: Int? = nil) throws {
    let port = try port ?? freeDatagramPort()
    endpoint = Endpoint(host: "127.0.0.1", port: port)
    directory = try Self.makeDirectory()
    let lines = [
      "port \(port)", "local stratum 5", "allow 127.0.0.1", "bindaddress 127.0.0.1", "cmdport 0",
      "bindcmdaddress /", "pidfile \(directory)/pid",
    ]
    try lines.joined(separator: "\n").write(
      toFile: directory + "/conf", atomically: true, encoding: .utf8)
    var environment: [String: String] = [:]
    if let offset, let library = TimeTools.fakeTime {
      environment = [
        "LD_PRELOAD": library, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
      ]
    }
    // -U: it need not be root; -F 0: no filter of system calls, which libfaketime's would not pass.
    process = try ChildProcess(
      chronyd, ["-d", "-x", "-U", "-u", NSUserName(), "-F", "0", "-f", directory + "/conf"],
      log: directory + "/log", environment: environment)
  }

  /// ntpd of NTPsec in orphan mode: it serves at port 123 and knows no other.
  init(ntpd: String) throws {
    endpoint = Endpoint(host: "127.0.0.1", port: 123)
    directory = try Self.makeDirectory()
    let lines = [
      "interface ignore all", "interface listen 127.0.0.1", "tos orphan 5 orphanwait 2",
      "disable ntp kernel", "restrict default", "restrict 127.0.0.1",
    ]
    try lines.joined(separator: "\n").write(
      toFile: directory + "/conf", atomically: true, encoding: .utf8)
    let command = TimeTools.withoutClockRight + [ntpd, "-n", "-g", "-c", directory + "/conf"]
    process = try ChildProcess(command[0], Array(command.dropFirst()), log: directory + "/log")
  }

  var log: String {
    String(
      decoding: FileManager.default.contents(atPath: directory + "/log") ?? Data(), as: UTF8.self)
  }

  /// Waits until it answers as one that knows the time.
  func waitUntilSynchronized() throws {
    try eventually("the time server at \(address) knows the time\n\(log)", seconds: 40) {
      let answer = try? askTime(endpoint)
      return answer.flatMap { $0.leap != 3 && $0.stratum > 0 ? () : nil }
    }
  }

  func end() {
    process.end()
    try? FileManager.default.removeItem(atPath: directory)
  }

  private static func makeDirectory() throws -> String {
    let directory = NSTemporaryDirectory() + "syncpay-time-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    return directory
  }
}

/// What an NTP server answers, read without any code of ours.
struct TimeAnswer: CustomStringConvertible {
  let leap: Int
  let stratum: Int
  /// Root dispersion, seconds.
  let dispersion: Double
  /// Server's clock − this host's, seconds, and half the round trip.
  let offset: Double
  let halfDelay: Double
  let byteCount: Int

  var description: String {
    "leap \(leap), stratum \(stratum), \(offset) ± \(halfDelay) + \(dispersion) s"
  }
}

/// Sends one datagram and reads the answer; throws where none comes within a second.
func askTime(
  _ endpoint: Endpoint, datagram: [UInt8] = [0x23] + [UInt8](repeating: 0, count: 39) + Array(1...8)
) throws -> TimeAnswer {
  let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
  defer { close(descriptor) }
  var limit = timeval(tv_sec: 1, tv_usec: 0)
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  var address = socketAddress(endpoint)
  let start = Date().timeIntervalSince1970
  let sent = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      sendto(descriptor, datagram, datagram.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  guard sent == datagram.count else { throw HarnessProblem("cannot send to \(endpoint)") }
  var answer = [UInt8](repeating: 0, count: 1024)
  let count = recv(descriptor, &answer, answer.count, 0)
  let end = Date().timeIntervalSince1970
  guard count >= 48 else { throw HarnessProblem("no answer from \(endpoint)") }
  func number(_ place: Int, _ length: Int) -> UInt64 {
    answer[place..<place + length].reduce(0) { $0 << 8 | UInt64($1) }
  }
  func time(_ place: Int) -> Double {
    Double(number(place, 4)) - 2_208_988_800 + Double(number(place + 4, 4)) / 4_294_967_296
  }
  guard Array(answer[24..<32]) == Array(datagram[40..<48]) else {
    throw HarnessProblem("the answer does not give the request's number back")
  }
  return TimeAnswer(
    leap: Int(answer[0] >> 6), stratum: Int(answer[1]), dispersion: Double(number(8, 4)) / 65536,
    offset: ((time(32) - start) + (time(40) - end)) / 2,
    halfDelay: ((end - start) - (time(40) - time(32))) / 2, byteCount: count)
}

/// A UDP port of the loopback interface that nobody has.
private func freeDatagramPort() throws -> Int {
  for _ in 0..<100 {
    let port = Int.random(in: 32_000..<32_700)
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(descriptor) }
    var address = socketAddress(Endpoint(host: "127.0.0.1", port: port))
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result == 0 { return port }
  }
  throw HarnessProblem("no free UDP port")
}
