import FoundationEssentials
import Glibc

/// How this program was built.
enum BuildMode: String {
  case debug, release

  #if DEBUG
    static let current = BuildMode.debug
  #else
    static let current = BuildMode.release
  #endif
}

/// Where, when and how a run happened.
struct RunContext: Sendable {
  let machine: [Field]
  let run: [Field]

  static func current(seed: UInt64, isToy: Bool) -> RunContext {
    RunContext(
      machine: [
        .text("cpu", cpuModel), .count("cores", sysconf(Int32(_SC_NPROCESSORS_ONLN))),
        .count("memory_bytes", sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))),
        .text("kernel", kernel),
      ],
      run: [
        .text("commit", commit), .text("build", BuildMode.current.rawValue),
        .flag("figures_valid", BuildMode.current == .release && !isToy), .text("date", date),
        .count("seed", seed),
      ])
  }

  /// The machine in a few words.
  var machineName: String {
    machine.prefix(2).map { $0.name == "cores" ? "\($0.shown) cores" : $0.shown }
      .joined(separator: ", ")
  }

  /// The processor's name (proc(5), `/proc/cpuinfo`); other architectures than x86 name fewer.
  private static var cpuModel: String {
    let text = Files.small("/proc/cpuinfo") ?? ""
    for name in ["model name", "Hardware", "CPU part"] {
      let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
      if let value = line?.split(separator: ":", maxSplits: 1).last {
        return String(value.drop { $0 == " " })
      }
    }
    return "unknown"
  }

  private static var kernel: String {
    (Files.small("/proc/sys/kernel/osrelease") ?? "unknown").filter { $0 != "\n" }
  }

  /// The commit of the repository that this program lies in, with `+changes` where the tree has
  /// some; else `unknown`.
  private static var commit: String {
    let home = ["-C", Files.ownDirectory]
    guard let hash = ChildProcess.output("git", home + ["rev-parse", "--short=12", "HEAD"]),
      !hash.isEmpty
    else { return "unknown" }
    let changes = ChildProcess.output(
      "git", home + ["status", "--porcelain", "--untracked-files=no"])
    return hash.filter { $0 != "\n" } + (changes?.isEmpty ?? true ? "" : "+changes")
  }

  private static var date: String {
    Date.now.formatted(.iso8601)
  }
}
