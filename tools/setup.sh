#!/usr/bin/env bash
# What the other tools need: Swift 6.3 or newer, and LZ4 (library with headers, and the command).
# Run it, or source it. Installs a package only if it is missing.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "setup: $*"
  exit 1
}

# as_root COMMAND...: runs it as root, with sudo if need be.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    return 1
  fi
}

# install_packages PACKAGE...: with apt-get; quiet unless it fails.
install_packages() {
  command -v apt-get >/dev/null || return 1
  say "setup: installing $* with apt-get"
  local log
  log=$(mktemp)
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    "$@" </dev/null >"$log" 2>&1; then
    # The package lists may be missing or old, as in a fresh container.
    if ! { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -q --no-install-recommends "$@"; } </dev/null >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      rm -f "$log"
      return 1
    fi
  fi
  rm -f "$log"
}

check_swift() {
  command -v swift >/dev/null ||
    fail "there is no 'swift'; install Swift 6.3 or newer from https://www.swift.org/install"
  local version major minor
  version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -n 1)
  major=${version%%.*}
  minor=${version#*.}
  minor=${minor%%.*}
  if [ "${major:-0}" -lt 6 ] || { [ "$major" -eq 6 ] && [ "${minor:-0}" -lt 3 ]; }; then
    fail "Swift ${version:-of unknown version} is too old; 6.3 or newer is needed"
  fi
}

has_lz4_library() {
  if command -v pkg-config >/dev/null; then
    pkg-config --exists liblz4
  elif command -v dpkg >/dev/null; then
    dpkg -s liblz4-dev >/dev/null 2>&1
  else
    [ -e /usr/include/lz4frame.h ]
  fi
}

check_lz4() {
  local missing=()
  has_lz4_library || missing+=(liblz4-dev)
  command -v lz4 >/dev/null || missing+=(lz4)
  [ ${#missing[@]} -eq 0 ] && return
  install_packages "${missing[@]}" ||
    fail "missing: ${missing[*]}. On Debian or Ubuntu: sudo apt-get install ${missing[*]};" \
      "elsewhere install LZ4 with its headers and its command by your system's means."
}

# build ARGUMENT...: swift build, its last line shown on a terminal, its output only if it fails.
build() {
  local log status=0
  log=$(mktemp)
  if [ -t 2 ]; then
    swift build "$@" 2>&1 | tee "$log" |
      while IFS= read -r line; do printf '\r\033[K%.78s' "$line" >&2; done || status=$?
    printf '\r\033[K' >&2
  else
    swift build "$@" >"$log" 2>&1 || status=$?
  fi
  if [ "$status" -ne 0 ]; then cat "$log" >&2; fi
  rm -f "$log"
  return "$status"
}

# build_release: builds what is needed to run, and sets BIN to where it is.
build_release() {
  say "Building in release mode; the first time takes some minutes."
  build -c release
  BIN=$(swift build -c release --show-bin-path)
  export BIN
}

check_swift
check_lz4
