# SPDX-License-Identifier: Apache-2.0
"""Runs a program twice, one after the other: the part of cases/second.py that runs measured."""

import subprocess
import sys

for _ in range(2):
    subprocess.run([sys.executable, *sys.argv[1:]], check=True)
