#!/usr/bin/env bash
# A coordinated update through gorealis v2 over TJSON and over TBinary (README.md), a process for each.
# Starts a scheduler of its own and removes all it made. Needs Go, and the module proxy or a module cache.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

program=$work/coordinated-update
(cd "$here" && go vet -mod=readonly . && go build -mod=readonly -o "$program" .)

echo "$(go version), $(grep -o 'paypal/gorealis.*' "$here/go.mod")"
bash "$here/../with-server.sh" \
  bash -euc 'for protocol in json binary; do "$1" "$protocol"; done; echo "all as it should be"' - "$program"
