#!/usr/bin/env bash
# The loopback cluster with a menu.
#   tools/run_cluster.sh        the menu
#   tools/run_cluster.sh auto   runs all of it unattended; exit code 1 if one part fails
#   tools/run_cluster.sh test   makes one payment
# Starts the cluster if it does not run, and at the end stops it if it was started here.
set -euo pipefail

usage() { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

mode=${1:-menu}
case $mode in
  menu | auto | test) ;;
  -h | --help) usage && exit 0 ;;
  *) usage >&2 && exit 64 ;;
esac

# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
build_release

started=no
tail_pid=
cleanup() {
  if [ -n "$tail_pid" ]; then kill "$tail_pid" 2>/dev/null || true; fi
  if [ "$started" = yes ]; then "$BIN/syncpay" cluster stop; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_cluster() {
  local status=0
  "$BIN/syncpay" cluster status >/dev/null 2>&1 || status=$?
  case $status in
    0) printf 'The cluster runs already.\n' ;;
    2)
      started=yes
      "$BIN/syncpay" cluster start
      ;;
    *)
      "$BIN/syncpay" cluster status || true
      printf 'Not all nodes run: start the others with "syncpay cluster start --only NODE",\n' >&2
      printf 'or stop them all with tools/stop_cluster.sh.\n' >&2
      exit 1
      ;;
  esac
}

live_logs() {
  printf 'The logs; press Enter to go back.\n'
  tail -n 10 -F run/node*.log &
  tail_pid=$!
  read -r _ || true
  kill "$tail_pid" 2>/dev/null || true
  wait "$tail_pid" 2>/dev/null || true
  tail_pid=
}

menu() {
  cat <<'MENU'

  1  payment test                 s  status of all nodes
  2  stress test                  l  live logs
  3  fault tolerance              a  all of it
  4  input validation             h  this menu
  5  payment through a follower   q  quit
  6  clocks and skew
  7  configuration
MENU
}

parts=(payment stress faults validation follower clocks config)

# part NAME: one demonstration, with its title.
part() {
  printf '\n=== %s ===\n' "$1"
  "$BIN/syncpay" demo "$1"
}

all_parts() {
  local failed=() name
  for name in "${parts[@]}"; do
    part "$name" || failed+=("$name")
  done
  if [ ${#failed[@]} -gt 0 ]; then
    printf '\n✘ Failed: %s\n' "${failed[*]}"
    return 1
  fi
  printf '\n✔ All %s parts passed.\n' "${#parts[@]}"
}

choose() {
  case $1 in
    [1-7]) part "${parts[$1 - 1]}" ;;
    s) "$BIN/syncpay" status --cluster configs ;;
    l) live_logs ;;
    a) all_parts ;;
    h | '') menu ;;
    q) exit 0 ;;
    *) printf "There is no '%s'.\n" "$1" && menu ;;
  esac
}

start_cluster
case $mode in
  auto) all_parts ;;
  test) part payment ;;
  menu)
    menu
    while printf '\n> ' && read -r choice; do
      choose "$choice" || printf 'That did not pass; see above.\n'
    done
    ;;
esac
