# SPDX-License-Identifier: Apache-2.0
"""Counts the rows of dynamic contexts in a data file with branches, by what reports need them for.

    python bench/arc_kinds.py DATA_FILE

The sources must be where they were. docs/branches.md says what the kinds are.
"""

from __future__ import annotations

import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator

from coverage.parser import PythonParser
from coverage.python import get_python_source

Arc = tuple[int, int]

LINE, WITHIN = "(l, l), no other arc at the line", "both ends in one statement"
AGAIN, BRANCH = "a way that has a row, from another line of the statement", "a way of a branch"
LONE = "a way of a line with one, the only row of an end"
SPARE = "a way of a line with one, both ends have other rows"


def kinds(source: str, contexts: Iterator[list[Arc]]) -> Counter[str]:
    parser = PythonParser(text=source)
    parser.parse_source()
    exits = parser.exit_counts()
    found: Counter[str] = Counter()
    for arcs in contexts:
        rows = Counter(end for arc in arcs for end in {*arc} if end > 0)
        seen: set[Arc] = set()
        for arc in arcs:
            begin, end = (parser.first_line(line) if line > 0 else line for line in arc)
            if arc[0] == arc[1]:
                kind = LINE
            elif begin == end:
                kind = WITHIN
            elif (begin, end) in seen:
                kind = AGAIN
            elif exits.get(begin, 0) > 1:
                kind = BRANCH
            elif all(rows[line] > 1 for line in arc if line > 0):
                kind = SPARE
                rows.subtract(line for line in arc if line > 0)
            else:
                kind = LONE
            seen.add((begin, end))
            found[kind] += 1
    return found


def main(path: str) -> None:
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    query = (
        "SELECT context_id, fromno, tono FROM arc JOIN context ON context.id = context_id "
        "WHERE file_id = ? AND context != ''"
    )
    found: Counter[str] = Counter()
    for number, name in database.execute("SELECT id, path FROM file").fetchall():
        by_context: dict[int, list[Arc]] = defaultdict(list)
        for context, begin, end in database.execute(query, (number,)):
            by_context[context].append((begin, end))
        if by_context:
            found += kinds(get_python_source(name), iter(by_context.values()))
    for kind, n in found.most_common():
        print(f"{n:10,} {n / found.total():6.1%}  {kind}")


if __name__ == "__main__":
    main(sys.argv[1])
