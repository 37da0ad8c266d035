# SPDX-License-Identifier: Apache-2.0
"""SHMCOV_DEBUG: a process that is not measured says why, and is silent without it."""

from __future__ import annotations

import os
import signal

import pytest
from project_support import Project

DEBUG = {"SHMCOV_DEBUG": "1"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("FOLDER/gone", "FOLDER/gone: No such file or directory"),
        ("FOLDER/text", "FOLDER/text: Not a shmcov segment"),
    ],
)
def test_the_segment_cannot_be_used(project: Project, name: str, why: str) -> None:
    project.folder.chmod(0o700)
    project.write("text", "nothing").chmod(0o600)
    here = str(project.folder)
    env = {"SHMCOV_SEGMENT": name.replace("FOLDER", here)}
    assert project.python("-c", "", env=env).stderr == ""
    told = project.python("-c", "", env={**env, **DEBUG}).stderr
    assert told.startswith("shmcov: process ") and told.count("\n") == 1
    assert f" is not measured: {why.replace('FOLDER', here)}" in told


def test_no_ancestor_takes_part(project: Project) -> None:
    run = project.start("exec", "sleep", "20")
    told = ""
    while not told and run.poll() is None:  # until the folder of its segment is there
        done = project.python("-c", "", env=DEBUG)
        told = done.stderr
    assert "is not measured: SHMCOV_SEGMENT is not set: no ancestor takes part" in told
    os.killpg(run.pid, signal.SIGTERM)
    run.communicate(timeout=30)
