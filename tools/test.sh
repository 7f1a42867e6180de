#!/usr/bin/env bash
# Formatting, build and all tests. Arguments go to 'swift test'.
set -euo pipefail

# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

if ! compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null; then
  install_packages libfaketime ||
    say "test: libfaketime is missing and could not be installed; tests that need it are skipped."
fi

say "Checking the formatting."
swift format lint --strict -r Sources Tests Package.swift
say "Building everything with its tests; the first time takes some minutes."
build --build-tests
swift test --skip-build "$@"
