#!/usr/bin/env bash
# gorealis v1 and v2 over TJSON and over TBinary (README.md): a coordinated update through v2, and each public
# method of both. A process for each, with one scheduler for all, which is removed with all that it made.
# Needs Go, and the module proxy or a module cache.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# together COMMAND…: runs each command (a line) in a process of its own, all at once, and prints what they say
# one after the other. False if one of them fails.
together() {
  local outputs=() pids=() code=0 i
  for command in "$@"; do
    outputs+=("$(mktemp "$work/out.XXXXXX")")
    (cd "$work" && $command) >"${outputs[-1]}" 2>&1 &
    pids+=($!)
  done
  for i in "${!pids[@]}"; do
    wait "${pids[i]}" || code=1
    cat "${outputs[i]}"
  done
  return "$code"
}

# What the server is started for: the jobs of all at once, then the hosts of one after the other, since a drain
# is felt by everybody.
if [[ ${1-} == --against-server ]]; then
  work=$2
  code=0
  together './story json' './story binary' './methods1 json jobs' './methods1 binary jobs' \
    './methods2 json jobs' './methods2 binary jobs' || code=1
  for command in './methods1 json' './methods1 binary' './methods2 json' './methods2 binary'; do
    together "$command hosts" || code=1
  done
  ((code != 0)) || echo 'all as it should be'
  exit "$code"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$here" && go vet -mod=readonly ./... && go build -mod=readonly -o "$work/" ./...)

echo "$(go version)"
grep -o 'paypal/gorealis.*' "$here/go.mod"
bash "$here/../with-server.sh" bash "${BASH_SOURCE[0]}" --against-server "$work"
