# SPDX-License-Identifier: Apache-2.0
"""`python -m shmcov`: the same program as the `shmcov` script."""

import sys

from shmcov.cli import main

if __name__ == "__main__":
    sys.exit(main())
