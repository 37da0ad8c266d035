# SPDX-License-Identifier: Apache-2.0
"""Becomes the program that the command line names, such as valgrind or a benchmark's own driver."""

import os
import sys

os.execvp(sys.argv[1], sys.argv[1:])
