# SPDX-License-Identifier: Apache-2.0
"""The full screen of `shmcov top`, on Textual. Only commands/top.py imports it.

A thread looks at the segment every second; what it saw is shown by the thread of the screen, which
never waits for it. The run is only read.
"""

from __future__ import annotations

import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from coverage.exceptions import CoverageException
from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Input, Sparkline, Static

from shmcov import live, segments
from shmcov.live import Counted, Look, Watch

EVERY = 1.0
"""Seconds between two looks."""

POINTS = 600
"""So many looks are in the curve; then every other one goes."""

Row = tuple[str, Counted]

ORDERS: dict[str, Callable[[Row], tuple[float, str]]] = {
    "missing": lambda row: (-len(row[1].statements - row[1].covered), row[0]),
    "per cent": lambda row: (live.percent(*row[1].row), row[0]),
    "name": lambda row: (0, row[0]),
}


class Source(Screen[None]):
    """A file, whose lines turn green while the suite runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f10,q", "app.pop_screen", "Back"),
    ]

    def __init__(self, path: str) -> None:
        super().__init__()
        self.file = path
        try:
            with tokenize.open(path) as file:
                self.text_lines = file.read().splitlines()
        except (OSError, SyntaxError, UnicodeError) as error:
            self.text_lines = [str(error)]

    def compose(self) -> ComposeResult:
        yield Static(Text(self.file, style="bold"), id="path")
        with VerticalScroll():
            yield Static(id="source")
        yield Footer()

    def show(self, counted: Counted | None) -> None:
        """Marks are there for terminals without colours, too."""
        text = Text()
        for number, line in enumerate(self.text_lines, 1):
            mark, style = " ", ""
            if counted and number in counted.statements:
                covered = number in counted.covered
                mark, style = ("+", "green") if covered else ("!", "red")
            text.append(f"{number:5} {mark} {line}\n", style)
        self.query_one("#source", Static).update(text)


class Top(App[None]):
    """All of a run."""

    TITLE = "shmcov top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #run { height: auto; }
    Sparkline { height: 3; }
    #workers { height: auto; max-height: 40%; overflow-x: hidden; }
    #files { height: 1fr; }
    Input { display: none; }
    Input.shown { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f3,slash", "search", "Search"),
        Binding("f6,s", "sort", "Sort"),
        Binding("tab", "focus_next", "Other table"),
        Binding("escape", "clear", "All files", show=False),
        Binding("f10,q", "quit", "Quit", priority=False),
    ]

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.watching = Watch(str(path))
        self.seen: Look | None = None
        self.counted: dict[str, Counted] = {}
        self.covered = [0.0]  # the curve: it begins at nothing
        self.file_order = "missing"
        self.searched = ""
        self.ended = ""

    def compose(self) -> ComposeResult:
        yield Static("Looking…", id="run")
        yield Sparkline([0.0], summary_function=max)
        yield DataTable(id="workers", cursor_type="row", zebra_stripes=True)
        yield DataTable(id="files", cursor_type="row", zebra_stripes=True)
        yield Input(placeholder="a part of a file's name", id="search")
        yield Footer()

    def on_mount(self) -> None:
        self._process_table.add_columns("NAME", "STATE", "TESTS", "FOR", "TEST, OR COMMAND")
        self._file_table.add_columns("MISSING", "OF", "%", "FILE")
        self._file_table.focus()
        self.set_interval(EVERY, self.look_again)
        self.look_again()

    @property
    def _process_table(self) -> DataTable[str]:
        return self.screen_stack[0].query_one("#workers", DataTable)

    @property
    def _file_table(self) -> DataTable[str]:
        return self.screen_stack[0].query_one("#files", DataTable)

    # -- looking --

    def look_again(self) -> None:
        if not self.ended and not any(worker.is_running for worker in self.workers):
            self._look()

    @work(thread=True)
    def _look(self) -> None:
        before = self.seen
        for look in self.watching.looks(all_runs=True):
            if isinstance(look, segments.SegmentNotUsable):
                gone = not self.watching.there()
                self.ended = "The run is over." if gone else str(look)
                self.call_from_thread(self._show_run, self.seen, before)
                return
            if self.seen is None:  # to count a large source takes long the first time
                self.call_from_thread(self.show, look, before, {})
            try:
                counted = self.watching.counted(look)
            except CoverageException as error:
                self.ended = str(error)
                counted = {}
            self.call_from_thread(self.show, look, before, counted)

    # -- showing --

    def show(self, look: Look, before: Look | None, counted: dict[str, Counted]) -> None:
        self.seen, self.counted = look, counted
        covered, _ = live.total(counted)
        if counted:
            self.covered.append(float(covered))
        if len(self.covered) > POINTS:
            del self.covered[1::2]
        self.screen_stack[0].query_one(Sparkline).data = list(self.covered)
        self._show_run(look, before)
        self._show_workers(look)
        self._show_files()
        if isinstance(self.screen, Source):
            self.screen.show(counted.get(self.screen.file))

    def _show_run(self, look: Look | None, before: Look | None) -> None:
        lines = [self.ended] if self.ended else []
        if look is not None:
            covered, statements = live.total(self.counted)
            percent = f"{live.percent(covered, statements):.1f} % of {statements} statements"
            new = f", {look.lines - before.lines:+}" if before else ""
            age = segments.age_in_words(look.info["created"])
            lines.append(
                f"{percent if self.counted else 'Counting statements…'}, "
                f"{look.lines} lines{new}, after {age}"
            )
        self.screen_stack[0].query_one("#run", Static).update(Text("\n".join(lines)))

    def _show_workers(self, look: Look) -> None:
        table = self._process_table
        at = table.cursor_row
        table.clear()
        shown = [one for one in look.workers if not one.over]
        for one in sorted(shown, key=lambda one: -(one.seconds or 0.0)):
            table.add_row(
                one.name or str(one.pid),
                one.shown_state,
                str(one.tests or ""),
                "" if one.seconds is None else f"{one.seconds:.0f} s{' !' * one.longest}",
                Text(one.what),
            )
        table.move_cursor(row=at)

    def _show_files(self) -> None:
        table = self._file_table
        at = table.cursor_row
        table.clear()
        here = f"{Path.cwd()}/"
        rows = [row for row in self.counted.items() if self.searched in row[0]]
        for path, one in sorted(rows, key=ORDERS[self.file_order]):
            covered, of = one.row
            table.add_row(
                str(of - covered),
                str(of),
                f"{live.percent(covered, of):.0f}",
                Text(path.removeprefix(here)),
                key=path,
            )
        table.move_cursor(row=at)

    # -- keys --

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if event.data_table.id == "files" and event.row_key.value:
            source = Source(event.row_key.value)
            self.push_screen(source)
            self.call_after_refresh(source.show, self.counted.get(source.file))

    def action_sort(self) -> None:
        names = list(ORDERS)
        self.file_order = names[(names.index(self.file_order) + 1) % len(names)]
        self._show_files()
        self.notify(f"Files by {self.file_order}", timeout=2)

    def action_search(self) -> None:
        field = self.query_one(Input)
        field.add_class("shown")
        field.focus()

    def action_clear(self) -> None:
        self.query_one(Input).value = ""
        self._end_search()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.searched = event.value
        self._show_files()

    def on_input_submitted(self) -> None:
        self._end_search()

    def _end_search(self) -> None:
        field = self.query_one(Input)
        field.set_class(bool(field.value), "shown")
        self._file_table.focus()
