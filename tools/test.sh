#!/usr/bin/env bash
# Formatting, build and all tests. Arguments go to 'swift test'.
set -euo pipefail

# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

# Tests of time run against these; where they are not to be had, those tests are skipped with a line. Only
# their files are taken: no daemon of this machine is replaced or started.
unpack_time_tools() {
  local directory=$PWD/.build/time-tools packages=(chrony ntpsec libfaketime)
  [ ! -d "$directory/root" ] || return 0
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
  mkdir -p "$directory/archives"
  (
    cd "$directory/archives"
    apt-get download -q "${packages[@]}" >/dev/null 2>&1 ||
      { as_root apt-get update -q >/dev/null 2>&1 && apt-get download -q "${packages[@]}" >/dev/null 2>&1; }
  ) || return 1
  for archive in "$directory"/archives/*.deb; do dpkg -x "$archive" "$directory/root"; done
}
unpack_time_tools || say "test: chrony, ntpsec and libfaketime could not be had; tests that need them are skipped."
wanted=()
# A second reader of the segment format is in Python.
[ -x /usr/bin/python3 ] || [ -x /usr/local/bin/python3 ] || wanted+=(python3)
# A second implementation checks signatures with this; receipts are checked by ours alone without it.
python3 -c 'import cryptography' 2>/dev/null || /usr/bin/python3 -c 'import cryptography' 2>/dev/null ||
  wanted+=(python3-cryptography)
# Tests of networks make namespaces with these; they also need to be root, and say so if not.
[ -x /usr/sbin/ip ] || [ -x /sbin/ip ] || [ -x /usr/bin/ip ] || wanted+=(iproute2)
[ -x /usr/sbin/nft ] || [ -x /sbin/nft ] || [ -x /usr/bin/nft ] || wanted+=(nftables)
if [ ${#wanted[@]} -gt 0 ]; then
  install_packages "${wanted[@]}" ||
    say "test: ${wanted[*]} could not be installed; tests that need them are skipped."
fi

say "Checking the formatting."
swift format lint --strict -r Sources Tests Package.swift
say "Building everything with its tests; the first time takes some minutes."
build --build-tests
swift test --skip-build "$@"
