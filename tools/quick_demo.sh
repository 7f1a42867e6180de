#!/usr/bin/env bash
# Half a minute that shows it all: three nodes, payments, the leader killed under load, the audit.
# Arguments go to 'syncpay demo quick'.
set -euo pipefail

# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
build_release
exec "$BIN/syncpay" demo quick "$@"
