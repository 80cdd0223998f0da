"""What people see: progress, tables, messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from clvspark.lakehouse.logs import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clvspark.lakehouse import Lakehouse, RunReport

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show the step at hand: a spinner in a terminal, nothing in a pipe."""
    with err.status("starting Spark", spinner="dots") as status:
        yield status.update


def fail(error: Exception) -> None:
    """Print an error as one message on standard error."""
    err.print(f"[bold red]{type(error).__name__}[/]: ", end="")
    err.print(redact(str(error)), markup=False)


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


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    left: int = 1,
    to: Console = out,
) -> None:
    """Print a table; the first `left` columns are texts, the others numbers."""
    grid = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for number, name in enumerate(columns):
        grid.add_column(name, justify="left" if number < left else "right")
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


def print_status(lake: Lakehouse) -> None:
    """Tables with rows, versions and the last run of each stage."""
    from clvspark.lakehouse.run_log import RUN

    existing = [
        (name, contract) for name, contract in sorted(lake.tables.items()) if lake.exists(contract)
    ]
    rows = [
        (name, lake.read(contract).count(), lake.version(contract), contract.comment)
        for name, contract in existing
    ]
    if not rows:
        out.print("The lakehouse is empty. Next step: clvspark run --config FILE")
        return
    table("Tables", ["table", "rows", "version", "what it holds"], rows)
    if lake.exists(RUN):
        runs = lake.read(RUN).orderBy("started_at", ascending=False).limit(12).collect()
        shown = [
            (
                f"{r['started_at']:%Y-%m-%d %H:%M:%S}",
                r["stage"],
                str(r["as_of_date"]),
                r["status"],
                r["seconds"],
            )
            for r in runs
        ]
        table("Last runs", ["started (UTC)", "stage", "as of", "status", "seconds"], shown, left=4)
