"""What people see: progress, tables, messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as LiveProgress
from rich.table import Table

from clvspark.lakehouse.logs import redact

if TYPE_CHECKING:
    from clvspark.lakehouse import RunReport

# In a pipe there is no width to keep to: nothing is cut, a message stays one line.
_PIPE_WIDTH = 200


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=False, width=width)


out = _console(stderr=False)
err = _console(stderr=True)


class Progress:
    """Shows which stage of how many runs, its step, and the time since the start.

    Live in a terminal; elsewhere one plain line as each stage starts (`print_report` writes one as it ends).
    """

    def __init__(self, live: LiveProgress, stages: Sequence[str]) -> None:
        """Show on `live` how far the command is in `stages`."""
        self._live, self._stages = live, list(stages)
        total = len(self._stages) or None
        self._task = live.add_task("starting Spark", total=total, place="")

    def __call__(self, stage: str, step: str = "") -> None:
        """Say what begins: a stage, or a step of it."""
        place = self._place(stage)
        if not err.is_terminal:
            if not step:
                err.print(f"{place}{stage}: started", markup=False, soft_wrap=True)
            return
        done = self._stages.index(stage) if stage in self._stages else None
        shown = f"{stage}: {step}" if step else stage
        self._live.update(self._task, description=escape(shown), completed=done, place=place)

    def _place(self, stage: str) -> str:
        if len(self._stages) < 2 or stage not in self._stages:
            return ""
        return f"stage {self._stages.index(stage) + 1} of {len(self._stages)}  "


@contextmanager
def progress(*stages: str) -> Iterator[Progress]:
    """Show the work at hand on standard error while the block runs; `stages` are those to come."""
    live = LiveProgress(
        SpinnerColumn(),
        TextColumn("{task.fields[place]}{task.description}"),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        disable=not err.is_terminal,
    )
    with live:
        yield Progress(live, stages)


def fail(error: Exception) -> None:
    """Print an error as one message on standard error."""
    err.print(f"[bold red]{type(error).__name__}[/]: ", end="")
    err.print(redact(str(error)), markup=False, soft_wrap=True)


def print_report(report: RunReport) -> None:
    """One line a stage: status, seconds, rows."""
    rows = ", ".join(f"{name.split('.')[1]} {count:,}" for name, count in report.rows.items())
    mark = {"success": "[green]done[/]", "unchanged": "[cyan]unchanged[/]"}.get(
        report.status, "[red]failed[/]"
    )
    out.print(
        f"{report.stage:>10}  {mark:<18} {report.seconds:6.1f} s  {rows}",
        overflow="ellipsis",
        no_wrap=True,
    )
    for warning in report.warnings:
        print_warning(report.stage, warning)


def print_warning(stage: str, text: str) -> None:
    """One warning of a stage."""
    out.print(f"[bold yellow]Warning[/] ({stage}): {escape(redact(text))}", soft_wrap=True)


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    left: int = 1,
    texts: Collection[int] = (),
    to: Console = out,
) -> None:
    """Print a table; the first `left` columns and those at the places `texts` are texts, the others numbers."""
    grid = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for number, name in enumerate(columns):
        is_text = number < left or number in texts
        # What a row is of is never cut off; numbers give way first.
        grid.add_column(name, justify="left" if is_text else "right", no_wrap=number < left)
    for row in rows:
        grid.add_row(*(_text(cell) for cell in row))
    to.print(grid)


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, bool | str | date):
        return str(cell)
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.4f}" if abs(cell) < 10 else f"{cell:,.2f}"
    return str(cell)
