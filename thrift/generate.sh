#!/bin/sh
# Remakes thrift/gen from the IDL files beside this script. The stubs are committed, so only a change of the IDL needs
# this; CI runs it to see that they match. Another compiler version writes different files.
set -eu
cd "$(dirname "$0")"
if ! command -v thrift >/dev/null 2>&1; then
  echo 'gen:thrift: the Thrift compiler is not on the PATH. Debian 12 has the right one: apt-get install thrift-compiler' >&2
  exit 1
fi
version=$(thrift --version)
if [ "$version" != 'Thrift version 0.17.0' ]; then
  echo "gen:thrift: the stubs are made by Thrift version 0.17.0, and this is: $version" >&2
  exit 1
fi
mkdir -p gen
rm -f gen/*.js gen/*.d.ts
for idl in *.thrift; do
  thrift -strict --gen js:node,ts,es6 -out gen "$idl"
done
