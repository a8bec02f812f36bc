#!/usr/bin/env bash
# A coordinated update through the Thrift library for Go over TJSON and over TBinary, with stubs made from
# our IDL, and with the headers and the arguments of gorealis v2, whose generated half this is. gorealis
# itself is not used: its module could not be had from the module proxy when this was written.
# Starts a scheduler of its own and removes all it made. Needs Go, the Thrift compiler, and the module proxy
# or a module cache.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$here"/go.mod "$here"/go.sum "$here"/*.go "$work"
# gorealis' IDL has these fields optional, so that what is unset is not sent, and no first argument there.
sed -e '/^struct JobUpdateQuery/,/^}/ s/^\( *[23458]: \)/\1optional /' \
  -e 's/ getJobUpdateDetails(1: JobUpdateKey key, / getJobUpdateDetails(/' \
  "$here/../../../thrift/aurora.thrift" >"$work/aurora.thrift"
thrift -strict --gen go -out "$work" "$work/aurora.thrift"
rm -rf "$work"/aurora/*-remote # programs that nobody here runs
(cd "$work" && go vet . && go build -mod=readonly -o coordinated-update .)

echo "$(go version), $(grep -o 'apache/thrift .*' "$here/go.mod"), stubs of $(thrift --version)"
bash "$here/../with-server.sh" "$work/coordinated-update"
