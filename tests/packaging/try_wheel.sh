#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Tries a wheel where nothing could be compiled: installs it from a folder, and has test_installed.sh
# try it. Takes under a minute. Coverage.py needs Python's module sqlite3, so SQLite's library is
# there; its headers, a compiler and liburcu must not be.
#
#   try_wheel.sh PYTHON WHEELS OTHERS [fallback | no-demo]
#
# Two folders: shmcov's wheels, and those of what it needs.
set -eu

python=$1 wheels=$2 others=$3
here=$(cd "$(dirname "$0")" && pwd)

for tool in cc gcc clang ld cmake ninja make pkg-config; do
    if command -v $tool; then echo "try_wheel: not a bare environment: it has $tool" >&2; exit 1; fi
done
found=$(find /usr /opt -xdev \( -name 'sqlite3.h' -o -name 'liburcu*' \) -print -quit)
if [ -n "$found" ]; then echo "try_wheel: not a bare environment: it has $found" >&2; exit 1; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
PATH=$work/venv/bin:$PATH
export PIP_CONFIG_FILE=/dev/null
start=$SECONDS
pip install --disable-pip-version-check --no-index --find-links "$wheels" --find-links "$others" \
    shmcov pytest pytest-cov pytest-xdist django >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
wheel=$(sed -n 's/^Processing .*\/\(shmcov-[^ /]*\.whl\).*/\1/p' "$work/log")
"$here/test_installed.sh" "${4:-compiled}"
echo "installed $wheel and tried it in $((SECONDS - start)) s with $(python -VV)"
