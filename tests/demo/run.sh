#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What `make demo` shows: a Django project whose tests run in parallel, measured with one command.
# The project is made by Django's own startproject in a temporary folder; its app is library/.
# Python, with shmcov and Django in it, is the one that comes first in PATH.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python -c 'import django' 2>/dev/null || python -m pip install -q 'django>=5'
cd "$folder"
python -m django startproject site_of_demo .
cp -R "$here/library" library
echo 'INSTALLED_APPS.append("library")' >>site_of_demo/settings.py
echo 'ROOT_URLCONF = "library.urls"' >>site_of_demo/settings.py
cat >.coveragerc <<'EOF'
[run]
branch = true
source = .
omit =
    site_of_demo/?sgi.py
EOF

show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

show cat .coveragerc
show shmcov run manage.py test --parallel 2
show coverage report -m
