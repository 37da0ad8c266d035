# SPDX-License-Identifier: Apache-2.0
"""Makes RESULTS.md and the picture of README out of the files in results/."""

from __future__ import annotations

import importlib
import json
import statistics
from collections.abc import Iterable
from typing import Any

import curves
import picture
from harness import HERE, MODES, TOOLS

PREAMBLE = """\
# What it costs to be measured

Made by `python bench/run.py`; do not edit. A figure without a unit is relative to the same program
under bare Python, which ran in turn with it ([how](README.md)). **†** marks what falls short of its
bar; the reason stands below the table. A dash: not measured, or the tool does not exist there.
"""


def write(cases: Iterable[str]) -> None:
    parts = [PREAMBLE]
    for name in cases:
        results = load(name)
        if results:
            parts += section(name, results)
    (HERE / "RESULTS.md").write_text("\n".join(parts).rstrip() + "\n")
    picture.write()
    curves.write()


def load(name: str) -> list[dict[str, Any]]:
    def version(result: dict[str, Any]) -> tuple[int, ...]:
        return tuple(int(part) for part in result["python"].split("+")[0].split(".")[:2])

    found = [json.loads(path.read_text()) for path in HERE.glob(f"results/{name}-*.json")]
    return sorted(found, key=version)


def section(name: str, results: list[dict[str, Any]]) -> list[str]:
    case = importlib.import_module(f"cases.{name}")
    out = [f"\n## {case.TITLE}\n", case.TEXT, ""]
    for result in results if hasattr(case, "plot") else []:
        case.plot(result)
    modes = [m for m in (*MODES, "") if any(row["mode"] == m for r in results for row in r["rows"])]
    columns = [tool.name for tool in TOOLS]
    present = {row["tool"] for result in results for row in result["rows"]}
    columns = [c for c in columns if c in present] + sorted(present - set(columns))
    for mode in modes:
        out += [f"### {mode.capitalize()}\n"] if mode and len(modes) > 1 else []
        out.append(f"| Python | | {' | '.join(columns)} | bar |")
        out.append(f"|---|---|{'---:|' * len(columns)}---:|")
        for result in results:
            out += lines(case, result, mode, columns)
        out.append("")
    reasons = HERE / "reasons" / f"{name}.md"
    if reasons.exists():
        out += [reasons.read_text().rstrip(), ""]
    out += ["<sub>" + provenance(name, results) + "</sub>", ""]
    return out


def lines(case: Any, result: dict[str, Any], mode: str, columns: list[str]) -> list[str]:
    python = result["python"]
    version = tuple(int(part) for part in python.split("+")[0].split(".")[:2])
    cells: dict[str, dict[str, dict[str, Any]]] = {}
    for row in result["rows"]:
        if row["mode"] == mode:
            cells.setdefault(row["program"], {})[row["tool"]] = row
    if hasattr(case, "ALL") and len(cells) > 1:
        cells[case.ALL] = {}
        for column in columns:
            values = [c[column]["value"] for c in list(cells.values())[:-1] if column in c]
            if values:
                middle = statistics.median(values)
                cells[case.ALL][column] = {"value": middle, "unit": "x"}
    out = []
    for program, by_tool in cells.items():
        bar = case.bar(version, mode, program)
        shown = []
        for column in columns:
            if column not in by_tool:
                shown.append("-")
                continue
            row = by_tool[column]
            text = number(row["value"], row["unit"])
            short = bar is not None and column == "shmcov" and misses(row, bar, case)
            shown.append(f"**{text} †**" if short else text)
        unit = next(iter(by_tool.values()))["unit"]
        limit = "" if bar is None else number(bar, unit)
        out.append(f"| {python} | {program} | {' | '.join(shown)} | {limit} |")
    return out


def misses(row: dict[str, Any], bar: float, case: Any) -> bool:
    if getattr(case, "HIGHER_IS_BETTER", False):
        return bool(row["value"] < bar)
    return bool(round(row["value"], 3) > bar)


def number(value: float, unit: str) -> str:
    if unit == "x":
        return f"{value:.3f}" if value < 2 else f"{value:.2f}"
    return f"{value:.2f} {unit}" if abs(value) < 100 else f"{value:.0f} {unit}"


def provenance(name: str, results: list[dict[str, Any]]) -> str:
    dates = sorted({result["date"] for result in results})
    machines = sorted({result["machine"] for result in results})
    tools: dict[str, set[str]] = {}
    for result in results:
        for tool, version in result["versions"].items():
            tools.setdefault(tool, set()).add(version)
    others = [row["others"] for result in results for row in result["rows"] if "others" in row]
    if others:
        machines.append(f"other work kept up to {max(others):.2f} processors busy")
    if loads := sorted({result["load"] for result in results if "load" in result}):
        machines.append(f"earlier figures at a load average of {loads[0]} to {loads[-1]}")
    text = ", ".join(f"{tool} {'/'.join(sorted(tools[tool]))}" for tool in tools)
    return f"`python bench/run.py {name}`, {', '.join(dates)}; {'; '.join(machines)}; {text}."
