#!/usr/bin/env bash
# Stops the loopback cluster: only processes that its pid files name. Builds nothing.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
for mode in release debug; do
  if [ -x ".build/$mode/syncpay" ]; then
    exec ".build/$mode/syncpay" cluster stop "$@"
  fi
done
printf 'stop_cluster: syncpay is not built, so nothing of it runs from here.\n' >&2
