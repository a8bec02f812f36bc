#!/bin/sh
# Holds our codec against Apache Thrift's libraries for Python and for Go: random structs of our IDL, both
# protocols, both ways. Needs python3 with venv, Go with the module proxy or a module cache, the Thrift
# compiler, and the project's node_modules. Not part of `npm test`.
#
#   sh test/interop/codec/run.sh [number of structs, default 1000]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/aurora-shim/interop-codec

for tool in python3 thrift go npx; do
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
mkdir "$work/python"
thrift -strict --gen py -out "$work/python" "$root/thrift/aurora.thrift"

# The Go stubs are no part of the repository, so the program is built beside them.
cp -r "$here/go" "$work/go"
thrift -strict --gen go:skip_remote,package=stubs -out "$work/go" "$root/thrift/aurora.thrift"
{
  printf 'package stubs\n\nimport "github.com/apache/thrift/lib/go/thrift"\n\n'
  printf '// Structs makes an empty struct by its name in the IDL.\n'
  printf 'var Structs = map[string]func() thrift.TStruct{\n'
  # Names that end in Args or Result get an underscore in Go, since each method has such structs, too.
  sed -n 's/^func New\([A-Za-z]*\)\(_\{0,1\}\)() \*\1\2 {$/\t"\1": func() thrift.TStruct { return New\1\2() },/p' \
    "$work/go/stubs/aurora.go"
  printf '}\n'
} >"$work/go/stubs/structs.go"
(cd "$work/go" && go vet -mod=readonly . && go build -mod=readonly -o "$work/peer-go" .)

cd "$root"
INTEROP_PYTHON="$venv/bin/python" INTEROP_STUBS="$work/python" INTEROP_GO="$work/peer-go" \
  INTEROP_COUNT="${1:-1000}" \
  npx jest --testMatch '**/test/interop/codec/codec.interop.ts' --verbose
