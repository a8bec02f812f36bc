#!/usr/bin/env bash
# with-server.sh COMMAND…: builds the scheduler, starts it with simulated tasks and an embedded Postgres on a
# free port, runs the command with its address in AURORA_URL, and stops and removes everything. The exit code
# is the command's, or 1 when the scheduler did not start or did not stop in order.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
start_limit=120
stop_limit=30

directory=$(mktemp -d)
chmod 711 "$directory" # started by root, Postgres runs as somebody else, who must get to its data
data=$directory/data
log=$directory/scheduler.log
server=
: >"$log"

# wait_until SECONDS COMMAND…: false when the command has not succeeded by then.
wait_until() {
  local give_up=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < give_up)) || return 1
    sleep 0.1
  done
}

is_gone() { ! kill -0 "$1" 2>/dev/null; }

clean_up() {
  if [[ -n $server ]] && ! is_gone "$server"; then
    kill -KILL "$server"
    wait "$server" 2>/dev/null || true
  fi
  # There only if the scheduler had no chance to stop its Postgres.
  local postgres
  if read -r postgres 2>/dev/null <"$data/postgres/data/postmaster.pid"; then
    kill -QUIT "$postgres" && wait_until "$stop_limit" is_gone "$postgres" || true
  fi
  rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

address() { sed -n 's/.*"url":"\(http:[^"]*\)".*"msg":"serving".*/\1/p' "$log"; }
serves_or_is_gone() { [[ -n $(address) ]] || is_gone "$server"; }

cd "$repository"
npm run --silent build
# The settings of this shell are not the scheduler's.
mapfile -t settings < <(compgen -e | grep -E '^(AURORA_|PG[A-Z]+$|DATABASE_URL$)' || true)
((${#settings[@]} == 0)) || unset "${settings[@]}"
node dist/src/main.js serve --backend=simulated --http_port=0 --data_dir="$data" \
  >"$log" 2>&1 </dev/null &
server=$!
if ! wait_until "$start_limit" serves_or_is_gone || [[ -z $(address) ]]; then
  echo 'the scheduler did not start:' >&2
  tail -n 20 "$log" >&2
  exit 1
fi
AURORA_URL=$(address)
export AURORA_URL
echo "the scheduler serves at $AURORA_URL"

code=0
"$@" || code=$?
if ((code != 0)); then
  echo 'the last the scheduler said:' >&2
  tail -n 20 "$log" >&2
fi

kill -TERM "$server"
if ! wait_until "$stop_limit" is_gone "$server" || ! wait "$server"; then
  echo 'the scheduler did not stop in order:' >&2
  tail -n 20 "$log" >&2
  exit 1
fi
echo 'the scheduler has stopped'
exit "$code"
