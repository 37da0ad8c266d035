# SPDX-License-Identifier: Apache-2.0
"""Run a program whose multiprocessing starts processes by METHOD.

python start_by.py METHOD PROGRAM ARGS...
"""

import multiprocessing
import runpy
import sys

import split

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    sys.argv[:2] = []
    sys.path[0] = ""
    split.of_unittest()
    runpy.run_path(sys.argv[0], run_name="__main__")
