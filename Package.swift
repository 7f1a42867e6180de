// swift-tools-version: 6.2
import PackageDescription

// The house rules of CONVENTIONS: every target of ours is built with them.
let house: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let hummingbird = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let lifecycle = Target.Dependency.product(
  name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(
  name: "UnixSignals", package: "swift-service-lifecycle")
let configuration = Target.Dependency.product(
  name: "Configuration", package: "swift-configuration")
let httpClient = Target.Dependency.product(
  name: "AsyncHTTPClient", package: "async-http-client")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")

/// A library of ours, under the house rules.
func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: house)
}

/// A command of ours: parse, validate, run.
func command(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, swiftSettings: house)
}

/// The tests of one target.
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: house)
}

let package = Package(
  name: "syncpay",
  platforms: [.macOS(.v26)],
  products: [
    .executable(name: "syncpayd", targets: ["syncpayd"]),
    .executable(name: "syncpay", targets: ["syncpay"]),
    .executable(name: "syncpay-audit", targets: ["syncpay-audit"]),
    .executable(name: "syncpay-bench", targets: ["syncpay-bench"]),
    .executable(name: "syncpay-sim", targets: ["syncpay-sim"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(
      url: "https://github.com/apple/swift-configuration", from: "1.4.0",
      traits: ["JSON", "CommandLineArguments"]),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CHost"),
    library("Bytes", [crypto]),
    library("HybridTime", ["Bytes"]),
    library("Evidence", ["Bytes", crypto]),
    library("JSONText", ["Bytes"]),
    library("ClockSync", ["Bytes", "HybridTime"]),
    library("Raft", ["Bytes"]),
    library("Ledger", ["Bytes", "HybridTime"]),
    library("SegmentLog", ["Bytes", "Evidence", "HybridTime", "CLZ4"]),
    library("Timeline", ["Bytes", "HybridTime", heap]),
    library(
      "Replica",
      ["Bytes", "Evidence", "HybridTime", "ClockSync", "Raft", "Ledger", "SegmentLog", deque]),
    library("HostFiles", ["CHost", "SegmentLog"]),
    library(
      "NodeRuntime",
      ["Bytes", "Evidence", "HybridTime", "ClockSync", "Raft", "Ledger", "SegmentLog", "Replica"]),
    library(
      "Audit",
      [
        "Bytes", "JSONText", "Evidence", "HybridTime", "ClockSync", "Ledger", "SegmentLog",
        "Timeline",
      ]),
    library(
      "NodeServer",
      [
        "CHost", "Bytes", "JSONText", "Evidence", "HybridTime", "ClockSync", "Raft", "Ledger",
        "SegmentLog",
        "HostFiles", "Replica", "NodeRuntime", nioCore, nioPosix, nioHTTP1, nioHTTPTypes,
        httpTypes, hummingbird, lifecycle,
        logging, configuration, systemPackage,
      ]),
    library(
      "Simulation",
      [
        "Bytes", "Evidence", "HybridTime", "ClockSync", "Raft", "Ledger", "SegmentLog", "Replica",
        "NodeRuntime", "Audit",
      ]),
    library(
      "Fuzzing",
      [
        "Bytes", "JSONText", "Evidence", "HybridTime", "ClockSync", "Raft", "Ledger", "SegmentLog",
        "Replica", "NodeServer",
      ]),
    command("syncpayd", ["HostFiles", "NodeServer", arguments, logging, lifecycle, unixSignals]),
    command(
      "syncpay",
      [
        "Bytes", "ClockSync", "Evidence", "SegmentLog", "Audit", "HostFiles", arguments, httpClient,
        nioCore, nioHTTP1,
      ]),
    command("syncpay-audit", ["Bytes", "Audit", "HostFiles", arguments]),
    command(
      "syncpay-bench",
      [
        "CLZ4", "Bytes", "JSONText", "HybridTime", "Ledger", "SegmentLog", "HostFiles", "Timeline",
        "Audit", arguments, histogram, nioCore, nioPosix,
      ]),
    command("syncpay-sim", ["Bytes", "Audit", "HostFiles", "Simulation", arguments]),
    tests("BytesTests", ["Bytes"]),
    tests("HybridTimeTests", ["Bytes", "HybridTime"]),
    tests("EvidenceTests", ["Bytes", "Evidence"]),
    tests("JSONTextTests", ["Bytes", "JSONText"]),
    tests("ClockSyncTests", ["Bytes", "HybridTime", "ClockSync"]),
    tests("RaftTests", ["Bytes", "Raft"]),
    tests("LedgerTests", ["Bytes", "HybridTime", "Ledger"]),
    tests("SegmentLogTests", ["Bytes", "Evidence", "HybridTime", "SegmentLog", "HostFiles"]),
    tests("TimelineTests", ["Bytes", "HybridTime", "Timeline"]),
    tests(
      "ReplicaTests",
      ["Bytes", "Evidence", "HybridTime", "ClockSync", "Raft", "Ledger", "SegmentLog", "Replica"]),
    tests(
      "NodeRuntimeTests",
      [
        "Bytes", "Evidence", "HybridTime", "ClockSync", "Raft", "Ledger", "SegmentLog", "HostFiles",
        "Replica",
        "NodeRuntime",
      ]),
    tests(
      "AuditTests",
      [
        "Bytes", "JSONText", "Evidence", "HybridTime", "Ledger", "SegmentLog", "HostFiles",
        "Timeline",
        "Audit",
      ]),
    tests(
      "SimulationTests",
      [
        "Bytes", "HybridTime", "ClockSync", "Raft", "Ledger", "SegmentLog", "Replica",
        "NodeRuntime", "Simulation",
      ]),
    tests(
      "NodeServerTests",
      [
        "Bytes", "JSONText", "Evidence", "HybridTime", "ClockSync", "Raft", "Ledger", "SegmentLog",
        "Replica",
        "NodeRuntime", "NodeServer", nioCore, nioPosix, lifecycle, logging,
      ]),
    tests("FuzzingTests", ["Fuzzing"]),
    tests("syncpayCommandTests", ["syncpay", "ClockSync", arguments]),
    tests("BenchTests", ["syncpay-bench", "JSONText", "Bytes", arguments, nioCore]),
    tests("EndToEndTests", []),
    tests("SourceTests", []),
  ]
)
