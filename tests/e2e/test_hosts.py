# SPDX-License-Identifier: Apache-2.0
"""A host's segment, without an engine."""

from __future__ import annotations

import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

hosts = pytest.importorskip("shmcov.cluster.hosts")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[hosts.Run]:
    """One that was begun on another machine."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run = hosts.Run(secrets.token_hex(16), "/none", "other 0 0", str(tmp_path), 0, [])
    yield run
    hosts.discard(run)


def test_all_processes_of_a_host_get_one_segment(run: hosts.Run) -> None:
    assert hosts.known(run) is None
    name = hosts.segment(run)
    assert hosts.segment(run) == hosts.known(run) == name
    assert stat.S_IMODE(hosts._note_path(run).stat().st_mode) == 0o600
    hosts.discard(run)
    assert not Path(name).exists()
    assert hosts.known(run) is None


def test_one_that_is_gone_is_made_again(run: hosts.Run) -> None:
    name = hosts.segment(run)
    Path(name).unlink()
    again = hosts.segment(run)
    assert again != name
    assert Path(again).exists()


def test_a_link_in_the_place_of_the_note_is_not_followed(run: hosts.Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    hosts._note_path(run).symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        hosts.segment(run)
    assert other.read_text() == "mine"
    hosts._note_path(run).unlink()
