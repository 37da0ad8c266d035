#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What a wheel can break by itself: the demo, and pytest with two workers and a process that is
# killed. Python, with shmcov, Django, pytest-cov and pytest-xdist in it, is the first in PATH.
#
#   test_installed.sh [fallback | no-demo]
#
# fallback: nothing compiled is there, so nothing is killed. no-demo: this Python has no ctypes, which
# Django's tests need.
set -eu

case ${1:-compiled} in
# Strict: what shmcov itself does not record is an error.
compiled | no-demo) end="os.kill(os.getpid(), signal.SIGKILL)" status=-9 strict=1 ;;
fallback) end="sys.exit(3)" status=3 strict=0 ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "${1:-}" != no-demo ]; then
    "$here/../demo/run.sh" >"$work/demo" 2>&1 || { cat "$work/demo"; exit 1; }
    grep -q '^library/models.py .* 91%' "$work/demo" || { cat "$work/demo"; exit 1; }
fi

mkdir "$work/project"
cd "$work/project"
printf '[run]\nplugins = shmcov\nbranch = true\n' >.coveragerc
cat >halves.py <<'EOF'
def half(n):
    if n % 2:
        return None
    return n // 2
EOF
cat >test_halves.py <<EOF
import subprocess, sys
import halves

def test_odd():
    assert halves.half(3) is None

def test_even_in_a_process_that_dies():
    program = "import os, signal, sys, halves; halves.half(4); $end"
    assert subprocess.run([sys.executable, "-c", program]).returncode == $status
EOF
SHMCOV_STRICT=$strict python -m pytest -q -p no:cacheprovider --cov=halves -n 2 >"$work/tests" 2>&1 ||
    { cat "$work/tests"; exit 1; }
grep -q '^halves.py .* 100%' "$work/tests" || { cat "$work/tests"; exit 1; }
echo "passed (${1:-compiled}): $(python -c "import shmcov; print(shmcov.__version__)")"
