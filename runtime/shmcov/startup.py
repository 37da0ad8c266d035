# SPDX-License-Identifier: Apache-2.0
"""The start-up file through which an interpreter attaches: where it is, and why it is not read."""

from __future__ import annotations

import os
import site
import sys

NAME = "_shmcov.pth"


def files() -> list[str]:
    """The start-up files that interpreters like this one read."""
    return _in(_read_folders())


def elsewhere() -> list[str]:
    """Start-up files on sys.path, where none are read."""
    read = _read_folders()
    return _in([folder for folder in sys.path if folder not in read])


def _read_folders() -> list[str]:
    """The folders in which an interpreter looks for start-up files."""
    if sys.flags.no_site:
        return []
    folders = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return folders


def _in(folders: list[str]) -> list[str]:
    paths = [os.path.join(folder or ".", NAME) for folder in dict.fromkeys(folders)]  # noqa: PTH118
    return [path for path in paths if os.path.isfile(path)]  # noqa: PTH113


def why_not() -> str:
    """Why an interpreter like this one did not attach, as far as it can be known."""
    if sys.flags.no_site:
        return "-S keeps it from reading start-up files, and so from being measured"
    ours = files()
    if not ours:
        places = ", ".join(_read_folders())
        found = elsewhere()
        if not found:
            return f"the start-up file {NAME} is not there: it is looked for in {places}"
        if os.path.dirname(found[0]) == site.getusersitepackages():  # noqa: PTH120
            return f"the start-up file {found[0]} is not read: -s, -I or PYTHONNOUSERSITE is set"
        folder = os.path.abspath(os.path.dirname(found[0]))  # noqa: PTH100, PTH120
        place = _read_folders()[0]
        return (
            f"the start-up file {found[0]} lies on sys.path, but start-up files are only read in "
            f"{places}. Install shmcov there, or write into {place}/shmcov-path.pth the line: "
            f"import site; site.addsitedir({folder!r})"
        )
    if not os.access(ours[0], os.R_OK):
        return f"the start-up file {ours[0]} cannot be read"
    return (
        "it ended before its start-up files were read, or could not open the segment; with "
        "SHMCOV_DEBUG=1 in the environment it says why"
    )
