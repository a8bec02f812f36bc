#!/bin/sh
# Holds our codec against Apache Thrift's Python library: random structs of our IDL, both protocols, both
# ways. Needs python3 with venv, the Thrift compiler, and the project's node_modules. Not part of `npm test`.
#
#   sh test/interop/codec/run.sh [number of structs, default 1000]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/aurora-shim/interop-codec

for tool in python3 thrift npx; do
  if ! command -v "$tool" >/dev/null 2>&1; then
    echo "interop/codec: $tool is not on the PATH" >&2
    exit 1
  fi
done

venv=$cache/venv
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import thrift' 2>/dev/null; then
  rm -rf "$venv"
  mkdir -p "$cache"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check thrift
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
thrift -strict --gen py -out "$work" "$root/thrift/aurora.thrift"

cd "$root"
INTEROP_PYTHON="$venv/bin/python" INTEROP_STUBS="$work" INTEROP_COUNT="${1:-1000}" \
  npx jest --testMatch '**/test/interop/codec/codec.interop.ts' --verbose
