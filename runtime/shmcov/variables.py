# SPDX-License-Identifier: Apache-2.0
"""Names of environment variables that a worker has to know, and what else uses them.
settings.OTHER_VARIABLES lists all that are not settings."""

SEGMENT = "SHMCOV_SEGMENT"
"""The name of the segment to attach to."""

READER = "SHMCOV_READER"
"""The pid of the process that reads the segment of `shmcov run`."""

FALLBACK = "SHMCOV_FALLBACK"
"""A run whose owner fell back: its process id, and the name with which the data files of the other
processes begin."""
