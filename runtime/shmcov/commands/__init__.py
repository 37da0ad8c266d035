# SPDX-License-Identifier: Apache-2.0
"""What a person types: one file for each command, imported when that is run.

`cli.py` is the table of them. A command is a `main(argv)`, which returns the exit status; run.py
changes the `run` of coverage.py instead.
"""
