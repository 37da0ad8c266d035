# SPDX-License-Identifier: Apache-2.0
"""Draws docs/_static/contexts.svg, the picture of README, of what results/ holds.

`python bench/run.py --report` draws it; no library is needed for a few bars.
"""

from __future__ import annotations

import json
from html import escape

from harness import HERE, MODES

PICTURE = HERE.parent / "docs" / "_static" / "contexts.svg"
TOOLS = (("shmcov", "shmcov", "#2f6fd0"), ("ctrace", "coverage.py (ctrace)", "#a7adb5"))
PROGRAM = "Django"
"""A row of the case `contexts`."""

WIDTH, LEFT, RIGHT, TOP = 760, 150, 70, 84
BAR, GAP = 16, 14
TEXT = 'font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif"'


def write() -> None:
    PICTURE.write_text(drawn())


def drawn() -> str:
    groups = _groups()
    most = max(value for _, values in groups for value in values.values())
    scale = (WIDTH - LEFT - RIGHT) / most
    height = TOP + len(groups) * (len(TOOLS) * BAR + GAP) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-labelledby="title">',
        '<title id="title">CPU time of Django\'s tests with a context for each test</title>',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        _text(20, 32, "Which test ran which line: what it costs", 18, weight="600"),
        _text(20, 54, "A part of Django's own tests; CPU time, bare Python is 1", 13, "#555b63"),
    ]
    x = WIDTH - 20
    for _, label, color in reversed(TOOLS):
        x -= 8 * len(label)
        parts += [_text(x, 54, label, 13), _bar(x - 17, 43, 12, color, 12)]
        x -= 34
    y = TOP
    for name, values in groups:
        parts.append(_text(LEFT - 12, y + BAR + 5, name, 13, anchor="end"))
        for tool, _, color in TOOLS:
            length = values[tool] * scale
            parts += [
                _bar(LEFT, y, length, color),
                _text(LEFT + length + 6, y + 12, f"{values[tool]:.2f}", 12),
            ]
            y += BAR
        y += GAP
    one = LEFT + scale
    parts += [
        f'<line x1="{one:.1f}" x2="{one:.1f}" y1="{TOP - 6}" y2="{y - 6}" stroke="#15191e" '
        'stroke-dasharray="3 3"/>',
        _text(one, y + 10, "bare Python", 12, "#555b63", anchor="middle"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _groups() -> list[tuple[str, dict[str, float]]]:
    """What each group of bars is called, and the value of each tool."""
    found = []
    for path in sorted(HERE.glob("results/contexts-*.json")):
        result = json.loads(path.read_text())
        version = ".".join(result["python"].split(".")[:2])
        for mode in MODES:
            values = {
                row["tool"]: row["value"]
                for row in result["rows"]
                if (row["program"], row["mode"]) == (PROGRAM, mode)
            }
            if all(tool in values for tool, _, _ in TOOLS):
                found.append((f"{version}, {mode}", values))
    return found


def _bar(x: float, y: float, length: float, color: str, height: int = BAR - 2) -> str:
    return f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" height="{height}" fill="{color}"/>'


def _text(x: float, y: float, text: str, size: int, color: str = "#15191e", **more: str) -> str:
    names = {"anchor": "text-anchor", "weight": "font-weight"}
    others = "".join(f' {names[name]}="{value}"' for name, value in more.items())
    shown = escape(text, quote=False)
    return (
        f'<text x="{x:.1f}" y="{y}" font-size="{size}" fill="{color}"{others} {TEXT}>{shown}</text>'
    )
