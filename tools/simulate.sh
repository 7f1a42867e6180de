#!/usr/bin/env bash
# Whole clusters in simulation: 300 fixed seeds, 100 fresh ones, and the canaries, each of which
# must be found within 200 seeds. A failure prints its seed and leaves a directory that tells all.
set -euo pipefail

# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
build_release

bundles=${SYNCPAY_SIM_BUNDLES:-${TMPDIR:-/tmp}/syncpay-sim-failures}
simulate() { "$BIN/syncpay-sim" --bundles "$bundles" "$@"; }

say "300 worlds that are always the same."
simulate --seeds 1..300
fresh=$(($(od -An -N4 -tu4 /dev/urandom)))
say "100 worlds that nobody has seen yet: $fresh and on."
simulate --seeds "$fresh..$((fresh + 99))"

say "1,000 clocks against chrony's simulation and limits, and 300 in drawn worlds."
simulate_clocks() { "$BIN/syncpay-sim" clocks "$@"; }
simulate_clocks --seeds 1..1000
simulate_clocks --seeds 1..100 --servers 5 --false-servers 2
simulate_clocks --seeds "$fresh..$((fresh + 299))" --world drawn

for canary in vote-not-persisted commit-of-earlier-term fsync-skipped deduplication-off \
  damage-taken-for-absence lost-disk-admitted bound-too-small; do
  say "A canary that must be found: $canary."
  status=0
  log=$(simulate --seeds 1..200 --failures 1 --canary "$canary" 2>&1) || status=$?
  if [ "$status" -ne 1 ]; then
    say "$log"
    fail "the canary $canary was not found (status $status)"
  fi
done
rm -rf "$bundles"
say "All worlds kept every promise, and every canary was found."
