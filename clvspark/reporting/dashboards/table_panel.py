"""Rows of names and numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from clvspark.reporting.blocks import Grid
from clvspark.reporting.dashboards.answers import Group
from clvspark.reporting.dashboards.panels import Canvas, Panel, arrange, explain, nothing
from clvspark.reporting.dashboards.parts import Dimension, Measure, Rows
from clvspark.reporting.dashboards.statements import Question
from clvspark.reporting.dashboards.widgets import TableWidget
from clvspark.reporting.formats import write_interval


def draw_table(widget: TableWidget, canvas: Canvas, panel_id: str) -> Panel:
    """Rows of names and numbers, the total last."""
    found = canvas.ask(widget, widget.dimensions, widget.measures_used)
    if not any(found.values()):
        return nothing(widget, canvas)
    totals = canvas.ask(widget, [], widget.measures_used) if widget.total else {}
    is_marked = _find_marked(widget, canvas)
    choices: dict[str, dict[str, Any]] = {}
    for key, groups in found.items():
        shown = arrange(groups, widget.dimensions, widget.limit)
        rows = [[*group.names, *write_cells(group, widget.measures)] for group in shown]
        if key in totals:
            blanks = [""] * (len(widget.dimensions) - 1)
            rows.append(["total", *blanks, *write_cells(totals[key][0], widget.measures)])
        marked = [n for n, group in enumerate(shown) if is_marked(group)]
        choices[key] = {"rows": rows, "marked": marked, "has_total": widget.total}
    first = choices.get(canvas.first_key(widget) or "-", {"rows": [], "marked": []})
    columns = [d.title for d in widget.dimensions] + [m.label for m in widget.measures]
    grid = Grid(
        canvas.say(widget.title),
        [canvas.say(column) for column in columns],
        first["rows"],
        left=len(widget.dimensions),
        hint=explain(widget, canvas, found),
        marked=frozenset(first["marked"]),
        has_total=widget.total,
        id=panel_id,
        drill=canvas.say_drill(widget),
    )
    return Panel(grid, canvas.follows(widget), choices)


def _find_marked(widget: TableWidget, canvas: Canvas) -> Callable[[Group], bool]:
    """Whether a row is set off."""
    mark = widget.mark
    if mark is None:
        return lambda _: False
    if isinstance(mark, str):
        return lambda group: bool(group.cells[-1].value)
    rows = Rows(dataset=mark.dataset, filter={mark.column: True})  # type: ignore[call-arg]
    found = canvas.tables.ask(Question(rows, [Dimension(column=mark.by)], [])).get((), [])  # type: ignore[call-arg]
    marked = {group.keys[0] for group in found}
    return lambda group: group.keys[0] in marked


def write_cells(group: Group, measures: Sequence[Measure]) -> list[str]:
    """The numbers of a group as texts."""
    return [
        write_interval(cell.value, cell.low, cell.high, measure)
        for cell, measure in zip(group.cells, measures, strict=False)
    ]
