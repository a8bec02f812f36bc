#!/usr/bin/env bash
# The Thrift library for Python over TBinary, with stubs made from our IDL: a coordinated update as the Aurora
# client for Python does it on the wire, and the RPCs that no gorealis calls. Starts a scheduler of its own and
# removes all it made.
# Needs python3 with venv, the Thrift compiler, and PyPI or a pip cache.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
mkdir "$work/stubs"
thrift -strict --gen py -out "$work/stubs" "$here/../../../thrift/aurora.thrift"

export PYTHONPATH=$work/stubs PYTHONDONTWRITEBYTECODE=1
echo "Python $("$work/venv/bin/python" -c 'import platform; print(platform.python_version())'), \
$(head -n 1 "$here/requirements.txt"), stubs of $(thrift --version)"
bash "$here/../with-server.sh" \
  bash -euc '"$1" "$2/coordinated_update.py"; "$1" "$2/other_calls.py"' - "$work/venv/bin/python" "$here"
