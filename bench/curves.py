# SPDX-License-Identifier: Apache-2.0
"""Draws docs/_static/combine.svg, how combine grows, of what results/ holds. No library is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping

from harness import HERE
from picture import TOOLS, _text

PICTURE = HERE.parent / "docs" / "_static" / "combine.svg"
COLORS = {
    "shmcov": TOOLS[0][2],
    "coverage": TOOLS[1][2],
}
MEASURES = (("CPU", "CPU seconds"), ("peak", "peak memory, MB"))
WIDTH, HEIGHT, GAP, LEFT, TOP = 230, 150, 70, 60, 80

Points = list[tuple[float, float]]


def write() -> None:
    """Of the newest version of Python that was measured."""
    paths = sorted(HERE.glob("results/combine-*.json"))
    rows = json.loads(paths[-1].read_text())["rows"] if paths else []
    found: dict[tuple[str, str], dict[str, Points]] = {}
    for row in rows:
        if "what" in row["detail"]:
            measure = row["program"].rsplit(", ", 1)[1]
            points = found.setdefault((row["detail"]["what"], measure), {})
            points.setdefault(row["tool"], []).append((row["detail"]["size"], row["value"]))
    if found:
        PICTURE.write_text(drawn(found))


def drawn(found: Mapping[tuple[str, str], Mapping[str, Points]]) -> str:
    kinds = list(dict.fromkeys(what for what, _ in found))
    width = LEFT + len(kinds) * (WIDTH + GAP)
    height = TOP + len(MEASURES) * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-labelledby="title">',
        '<title id="title">What combine costs, by number of shards, files and contexts</title>',
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        _text(20, 30, "What combine costs as its input grows", 18, weight="600"),
    ]
    for number, (tool, color) in enumerate(COLORS.items()):
        parts.append(_text(20 + 90 * number, 50, tool, 13, color))
    for column, what in enumerate(kinds):
        for line, (measure, label) in enumerate(MEASURES):
            x, y = LEFT + column * (WIDTH + GAP), TOP + line * (HEIGHT + GAP)
            parts += _axes(found[what, measure], x, y, what, label)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(curves: Mapping[str, Points], x: int, y: int, what: str, label: str) -> list[str]:
    most_x = max(size for points in curves.values() for size, _ in points)
    most_y = max(value for points in curves.values() for _, value in points)
    bottom = y + HEIGHT
    parts = [
        f'<path d="M{x} {y}V{bottom}H{x + WIDTH}" fill="none" stroke="#15191e"/>',
        _text(x, y - 8, label, 11, "#555b63"),
        _text(x - 6, y + 8, f"{most_y:.3g}", 11, anchor="end"),
        _text(x - 6, bottom, "0", 11, anchor="end"),
        _text(x + WIDTH, bottom + 16, f"{most_x:,} {what}", 11, anchor="end"),
    ]
    for tool, points in curves.items():
        places = [
            (x + WIDTH * size / most_x, bottom - HEIGHT * value / most_y)
            for size, value in sorted(points)
        ]
        line = " ".join(f"{at:.1f},{up:.1f}" for at, up in places)
        color = COLORS.get(tool, "#15191e")
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{at:.1f}" cy="{up:.1f}" r="3" fill="{color}"/>' for at, up in places
        ]
    return parts
