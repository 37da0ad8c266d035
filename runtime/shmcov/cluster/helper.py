# SPDX-License-Identifier: Apache-2.0
"""What hosts.py needs coverage.py for: `python -m shmcov.cluster.helper TASK`, facts in, answer
out.

A process of its own, so that neither measured processes import coverage.py nor an engine's event
loop waits for a merge.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _shmcov
import coverage

from shmcov import _merge, plan, result, segments
from shmcov.delivery import Delivery

Rules = list[tuple[int, str]]

OF_THE_MACHINE = {
    _merge.RULE_STDLIB_DIR,
    _merge.RULE_THIRD_DIR,
    _merge.RULE_THIRD_SOURCE,
    _merge.RULE_NEVER_DIR,
    _merge.RULE_VENV_THIRD,
    _merge.RULE_SOURCE_PKG_THIRD,
}
"""Rules that follow from where things are installed."""

NOT_FOR_HOSTS = {_merge.RULE_CONTEXT}
"""Rules that are applied at home."""


def main(task: str) -> None:
    facts = json.load(sys.stdin)
    sys.path += [place for place in facts.pop("path") if place not in sys.path]
    try:
        answer = TASKS[task](**facts)
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
    json.dump(answer, sys.stdout)


def rules(flags: int, rules: list[list[Any]]) -> dict[str, Any]:
    """The rules of a run as they are on this machine."""
    given: Rules = [(kind, text) for kind, text in rules]
    texts: dict[int, list[str]] = {}
    for kind, text in given:
        texts.setdefault(kind, []).append(text)
    cov = coverage.Coverage(config_file=False, data_file=None)
    folders = texts.get(_merge.RULE_SOURCE_DIR, [])
    cov.config.source_dirs = [folder for folder in folders if Path(folder).is_dir()]
    cov.config.source_pkgs = list(
        dict.fromkeys(
            texts.get(_merge.RULE_SOURCE_PKG, []) + texts.get(_merge.RULE_SOURCE_PKG_THIRD, [])
        )
    )
    cov.config.run_include = texts.get(_merge.RULE_INCLUDE, [])
    cov.config.run_omit = texts.get(_merge.RULE_OMIT, [])
    cov.config.cover_pylib = _merge.RULE_COVER_PYLIB in texts
    built = plan.build(cov, branch=bool(flags & _merge.FLAG_BRANCH), context=None)
    kept = [one for one in given if one[0] not in OF_THE_MACHINE | NOT_FOR_HOSTS]
    here = [one for one in built.rules if one[0] in OF_THE_MACHINE]
    return {"rules": kept + here}


def collect(segment: str, data: str, wait: float) -> dict[str, Any]:
    """Merges the segment of this machine into a data file."""
    delivery = Delivery(segment, any_size=True)
    delivery.settle(wait)
    answer: dict[str, Any] = {}

    def write(copy: _merge.Copy) -> str:
        answer.update(losses=result.losses(copy.info()), packages=copy.packages())
        result.write_file(copy, data, append=False, touch=(), argv=None, relative=None)
        return data

    delivery.deliver(write)
    return answer


def take(segment: str, files: list[str], packages: list[list[str]], map: list[list[str]]) -> None:
    """Records in a segment what data files of other machines hold. `map`: names there and here."""
    names = dict(map)
    read = [_read(file) for file in files]
    _shmcov.start(segments.name_of(segment))
    for rows in read:
        for context, file, tracer, lines, arcs in rows:
            _shmcov.switch_context(context)
            _record(names.get(file, file), tracer, lines, arcs)
    _shmcov.switch_context("")
    for package, init in packages:
        _import(package, names.get(init, init))


Row = tuple[str, str, str, list[int], list[tuple[int, int]]]


def _read(file: str) -> list[Row]:
    data = coverage.CoverageData(basename=file)
    data.read()
    rows: list[Row] = []
    for context in sorted(data.measured_contexts()) or [""]:
        data.set_query_context(context)
        for path in data.measured_files():
            lines, arcs = data.lines(path) or [], data.arcs(path) or []
            if lines or arcs or not context:
                rows.append((context, path, data.file_tracer(path) or "", lines, arcs))
    data.close()
    return rows


def _record(path: str, tracer: str, lines: list[int], arcs: list[tuple[int, int]]) -> None:
    if tracer:
        _shmcov.record_tracer(path, tracer)
    _shmcov.record(path, 0, 0, 0)
    for line in lines:
        _shmcov.record(path, line, line, 0)
    for start, end in arcs:
        if start != end:  # else it is the line
            _shmcov.record_arc(path, start, end)


def _import(package: str, init: str) -> None:
    """Makes known that the package was imported, as its own first line would."""
    if Path(init).exists():
        exec(compile("", init, "exec"), {"__name__": package, "__file__": init})


TASKS: dict[str, Callable[..., Any]] = {"rules": rules, "collect": collect, "take": take}

if __name__ == "__main__":
    main(sys.argv[1])
