# SPDX-License-Identifier: Apache-2.0
"""`shmcov run` where nothing compiled is installed: `coverage run`, in this process.

It measures the same processes, with the same options: docs/backend.md, "When shmcov falls back".
"""

from __future__ import annotations

import optparse

from coverage import cmdline

from shmcov import compiled, settings
from shmcov.backend import fallback


def install() -> None:
    """Lets coverage.py's own `run` have our options."""
    settings.add_to(cmdline.COMMANDS["run"])
    setattr(cmdline, "CoverageScript", Script)  # noqa: B010


class Script(cmdline.CoverageScript):
    """coverage.py's command line, with a `run` that says what it does without."""

    def do_run(self, options: optparse.Values, args: list[str]) -> int:
        try:
            own = settings.of_command(options, self.coverage.config)
        except ValueError as error:
            cmdline.show_help(str(error))
            return cmdline.ERR
        reason = compiled.lacking() or "nothing compiled is installed"
        fallback.fall_back(self.coverage, reason, strict=own.strict)
        return super().do_run(options, args)
