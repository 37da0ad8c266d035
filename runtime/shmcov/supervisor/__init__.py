# SPDX-License-Identifier: Apache-2.0
"""`shmcov run`: the process that starts a program, passes signals on, and writes the data file."""
