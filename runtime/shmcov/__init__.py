# SPDX-License-Identifier: Apache-2.0
"""Code coverage for Python programs that run in many processes.

This package is what stands on top: the command line, the supervisor of a run, and what turns a
segment into a data file. Importing it costs nothing; coverage.py is imported by what needs it.
Measured processes import none of it, only the extension module `_shmcov`.
"""

__version__ = "0.1.0"
