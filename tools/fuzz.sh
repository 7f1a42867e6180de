#!/usr/bin/env bash
# Readers of bytes from outside against libFuzzer: tools/fuzz.sh [TARGET] [SECONDS]
#
# TARGET is segment, records, peer-frame, http-body, evidence, or all; each runs for SECONDS (600).
# What is found is kept in data/fuzz/TARGET, which the tests replay: only what reaches more than
# what is there. A broken property, a hang or too much memory ends it with status 1; the input lies
# in .build/fuzz/found/TARGET then.
set -euo pipefail
# The fuzzer has a stack trace of its own.
export SWIFT_BACKTRACE=enable=no
# Buffers that are let go are used again soon: a batch's are large.
export ASAN_OPTIONS=quarantine_size_mb=16:malloc_context_size=8

# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

all=(segment records peer-frame http-body evidence)
wanted=("${1:-all}")
seconds=${2:-600}
if [ "${wanted[0]}" = all ]; then wanted=("${all[@]}"); fi
[[ " ${all[*]} " == *" ${wanted[0]} "* ]] || fail "no target ${wanted[0]}; there are: ${all[*]}"

# A package of only what the readers need, with the fuzzer's instrumentation: the rest of the server,
# and the network beneath it, would take ten minutes more.
root=$PWD
package=$root/.build/fuzz/package
bodies=(HTTP/HTTPProblem HTTP/HTTPProblem+Operator HTTP/PaymentBody HTTP/OperatorBody HTTP/QueryText
  HTTP/ReadConsistency HTTP/PaymentAnswer HTTP/NodeQueries HTTP/Route HTTP/ReadRequests HTTP/TimeText
  Settings/HostPort)
write_package() {
  mkdir -p "$package/NodeServer"
  rm -f "$package"/NodeServer/*
  for file in "${bodies[@]}"; do
    ln -s "$root/Sources/NodeServer/$file.swift" "$package/NodeServer/"
  done
  ln -sfn "$root/Sources" "$package/Sources"
  ln -sfn "$root/Tests" "$package/Tests"
  # The same versions of the same packages, and the same rules.
  {
    printf '// swift-tools-version: 6.2\nimport PackageDescription\n'
    sed -n '/^let house/,/^]/p; /^let crypto/p; /^let deque/p' Package.swift
    cat <<'PACKAGE'
func library(_ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil) -> Target {
  .target(name: name, dependencies: dependencies, path: path, swiftSettings: house)
}
let package = Package(
  name: "fuzz", platforms: [.macOS(.v26)],
  products: [.library(name: "Fuzz", type: .static, targets: ["Fuzzing"])],
  dependencies: [
PACKAGE
    sed -n '/apple\/swift-crypto"/p; /apple\/swift-collections"/p' Package.swift
    cat <<'PACKAGE'
  ],
  targets: [
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    library("Bytes", [crypto]),
    library("HybridTime", ["Bytes"]),
    library("Evidence", ["Bytes", crypto]),
    library("JSONText", ["Bytes"]),
    library("ClockSync", ["Bytes", "HybridTime"]),
    library("Raft", ["Bytes"]),
    library("Ledger", ["Bytes", "HybridTime"]),
    library("SegmentLog", ["Bytes", "Evidence", "HybridTime", "CLZ4"]),
    library(
      "Replica",
      ["Bytes", "Evidence", "HybridTime", "ClockSync", "Raft", "Ledger", "SegmentLog", deque]),
    library(
      "NodeServer", ["Bytes", "JSONText", "HybridTime", "Ledger", "Replica"], path: "NodeServer"),
    library(
      "Fuzzing",
      [
        "Bytes", "JSONText", "Evidence", "HybridTime", "ClockSync", "Raft", "Ledger", "SegmentLog",
        "Replica", "NodeServer",
      ]),
    .testTarget(name: "FuzzingTests", dependencies: ["Fuzzing"], swiftSettings: house),
  ]
)
PACKAGE
  } >"$package/Package.swift"
  cat >"$package/Main.swift" <<'MAIN'
import Fuzzing
import Glibc

/// The target and the directory for its seeds are named in the environment: libFuzzer starts itself
/// again with arguments of its own.
private func named(_ variable: String) -> String {
  guard let value = getenv(variable) else { preconditionFailure("\(variable) is not set") }
  return String(cString: value)
}

private let target: FuzzTarget = {
  guard let target = FuzzTarget(rawValue: named("SYNCPAY_FUZZ_TARGET")) else {
    preconditionFailure("no such target")
  }
  return target
}()

@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> Int32 {
  for (number, seed) in target.seeds.enumerated() {
    guard let file = fopen("\(named("SYNCPAY_FUZZ_SEEDS"))/seed-\(number)", "w") else {
      preconditionFailure("a seed cannot be written")
    }
    fwrite(seed, 1, seed.count, file)
    fclose(file)
  }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  target.run(UnsafeRawBufferPointer(start: bytes, count: count))
  return 0
}
MAIN
}

# Optimized, with every assertion; preconditions with their words.
build_fuzzer() {
  local flags=("-sanitize=fuzzer,address" -assert-config Debug) bin
  say "Building the fuzzer; the first time takes some minutes."
  build -c release --package-path "$package" --product Fuzz "${flags[@]/#/-Xswiftc=}"
  bin=$(swift build -c release --package-path "$package" --show-bin-path)
  swiftc -O -g "${flags[@]}" -parse-as-library -I "$bin/Modules" -I "$root/Sources/CLZ4" "$package/Main.swift" \
    "$bin/libFuzz.a" -llz4 -o "$root/.build/fuzz/fuzzer" 2>&1 |
    { grep -v 'Cannot export local symbol' >&2 || true; }
}

# length_max TARGET: longest input, bytes.
length_max() {
  case $1 in
    segment) echo 32768 ;;
    peer-frame) echo 8192 ;;
    *) echo 4096 ;;
  esac
}

# fuzz TARGET: runs it, then brings into the corpus what reaches more.
fuzz() {
  local target=$1 work=$root/.build/fuzz corpus=$root/data/fuzz/$1 status=0
  local found=$work/found/$target run=$work/corpus/$target seeds=$work/seeds/$target
  mkdir -p "$corpus" "$found" "$run" "$seeds"
  export SYNCPAY_FUZZ_TARGET=$target SYNCPAY_FUZZ_SEEDS=$seeds
  local more=("$corpus" "$seeds")
  [ "$target" = segment ] && more+=("$root/data/sample/log")
  # Most of what a reader may take at once: a batch's records are the largest.
  local limits=(-timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=64 "-max_len=$(length_max "$target")")
  say "Fuzzing $target for $seconds s."
  "$work/fuzzer" "${limits[@]}" "-max_total_time=$seconds" "-artifact_prefix=$found/" \
    -print_final_stats=1 "$run" "${more[@]}" 2>"$work/$target.log" || status=$?
  tail -n 12 "$work/$target.log" >&2
  if [ "$status" -ne 0 ]; then
    say "fuzz: $target: see $work/$target.log and $found"
    return 1
  fi
  # Few and short ones: the tests read them all.
  "$work/fuzzer" -set_cover_merge=1 -use_counters=0 "${limits[@]}" -max_len=4096 "$corpus" \
    "$seeds" "$run" 2>"$work/$target-merge.log"
  say "$target: $(find "$corpus" -type f | wc -l) inputs in data/fuzz/$target."
}

write_package
build_fuzzer
for target in "${wanted[@]}"; do fuzz "$target"; done
