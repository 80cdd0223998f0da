"""Audiences against each other: the share of one that is also in another."""

from __future__ import annotations

from typing import Any

from clvspark.reporting import charts
from clvspark.reporting.charts import Plan
from clvspark.reporting.dashboards.answers import Group
from clvspark.reporting.dashboards.panels import Canvas, Panel, as_chart, nothing
from clvspark.reporting.dashboards.parts import Rows
from clvspark.reporting.dashboards.statements import Question
from clvspark.reporting.dashboards.widgets import OverlapWidget
from clvspark.reporting.formats import percent, whole


def draw_overlap(widget: OverlapWidget, canvas: Canvas, panel_id: str) -> Panel:
    """A square of shares, of the largest audiences; of each row's audience how many are also in the column's."""
    rows = Rows(dataset="fact_profile_by_audience")  # type: ignore[call-arg]
    asked = Question(rows, widget.dimensions_used[:1], widget.measures_used)
    sizes = canvas.tables.ask(asked, hidden=canvas.hidden).get((), [])
    asked = Question(widget, widget.dimensions_used, widget.measures_used)
    pairs = canvas.tables.ask(asked, hidden=canvas.hidden).get((), [])
    largest = sorted(
        (group for group in sizes if group.cells[0].value),
        key=lambda group: (-group.cells[0].value, group.names),
    )[: widget.limit]
    if len(largest) < 2 or not pairs:
        return nothing(widget, canvas)
    square = _square(largest, pairs)
    names = [group.names[0] for group in largest]
    plan = Plan(canvas.say(widget.title), names, [], "Share", ".0%")
    spec = charts.draw_heat_map(plan, names, column_title="… is also in", highest=1.0)
    return as_chart(
        widget, canvas, panel_id, {"-": pairs}, spec, lambda _: square, ["Audience", *names]
    )


def _square(sizes: list[Group], pairs: list[Group]) -> list[dict[str, Any]]:
    common: dict[tuple[Any, Any], float | None] = {}
    for group in pairs:
        one, other = group.keys
        common[one, other] = common[other, one] = group.cells[0].value
    rows = []
    for row in sizes:
        for column in sizes:
            size = row.cells[0].value
            both = size if row is column else common.get((row.keys[0], column.keys[0]), 0.0)
            if both is not None:
                share = both / size
                rows.append(
                    {
                        "name": row.names[0],
                        "column": column.names[0],
                        "value": share,
                        "short": percent(share, 0),
                        "text": f"{percent(share)}: {whole(both)} persons",
                    }
                )
    return rows
