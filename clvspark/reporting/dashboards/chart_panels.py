"""Widgets that are charts: the rows that each needs, in the order in which they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from clvspark.reporting import charts
from clvspark.reporting.charts import Plan
from clvspark.reporting.dashboards.answers import Cell, Group
from clvspark.reporting.dashboards.panels import (
    Canvas,
    Panel,
    arrange,
    as_chart,
    as_numbers,
    nothing,
)
from clvspark.reporting.dashboards.parts import Dimension, Measure
from clvspark.reporting.dashboards.widgets import (
    BarWidget,
    DecilesWidget,
    FunnelWidget,
    HeatMapWidget,
    IntervalWidget,
    TrendWidget,
    Widget,
)
from clvspark.reporting.drawing import SERIES
from clvspark.reporting.formats import axis_format, percent, write_interval, write_number

Rows = list[dict[str, Any]]
_SHARE = Measure(label="share", sum="share", format="percent")  # type: ignore[call-arg]


def draw_bar(widget: BarWidget, canvas: Canvas, panel_id: str) -> Panel:
    """Bars of one or several measures."""
    measures = widget.measures_used
    found = canvas.ask(widget, widget.dimensions_used, measures)
    series = [canvas.say(measure.label) for measure in measures]

    def rows_of(groups: list[Group]) -> Rows:
        shown = arrange(groups, [widget.dimension], widget.limit)
        return [row for group in shown for row in _rows(group, measures, series)]

    plan = _plan(widget, canvas, found, rows_of, series, widget.measures)
    if plan is None:
        return nothing(widget, canvas)
    if widget.standing:
        spec = charts.draw_standing_bars(plan)
    else:
        line = series[-1] if widget.line else None
        spec = charts.draw_lying_bars(plan, stacked=widget.stacked, line=line)
    columns = [widget.dimension.title, *series]
    return as_chart(widget, canvas, panel_id, found, spec, rows_of, columns)


def draw_trend(widget: TrendWidget, canvas: Canvas, panel_id: str) -> Panel:
    """Lines over time."""
    found = canvas.ask(widget, widget.dimensions_used, widget.measures)
    series = [canvas.say(measure.label) for measure in widget.measures]
    if widget.series:
        series = _rank_series(widget.series, found)

    def rows_of(groups: list[Group]) -> Rows:
        rows: Rows = []
        for group in groups:
            # Of a dimension the lines are its values, and there is one measure.
            names = [group.names[1]] if widget.series else series
            rows += _rows(group, widget.measures, names, name=group.keys[0].isoformat())
        return sorted(rows, key=lambda row: (row["name"], series.index(row["series"])))

    def lines_of(groups: list[Group]) -> Rows:
        rows = rows_of(groups)
        here = {row["series"] for row in rows}
        largest = [name for name in series if name in here][: len(SERIES)]
        return [row for row in rows if row["series"] in largest]

    plan = _plan(widget, canvas, found, rows_of, series, widget.measures)
    if plan is None:
        return nothing(widget, canvas)
    if len(plan.names) == 1:
        heading = widget.series.title if widget.series else "What"
        hint = f"One {widget.over.title.lower()} so far: lines are drawn from the second on."
        return as_numbers(widget, canvas, panel_id, found, rows_of, [heading, *plan.names], hint)
    spec = charts.draw_lines(plan, over_time=True)
    columns = [widget.over.title, *series]
    return as_chart(widget, canvas, panel_id, found, spec, rows_of, columns, drawn_of=lines_of)


def _rank_series(series: Dimension, found: Mapping[str, list[Group]]) -> list[str]:
    """Names of all lines, in the order that the dimension tells; else those that are largest at the end come first."""
    every = [g for groups in found.values() for g in groups if g.cells[0].value is not None]
    newest = {
        g.names[1]: Group(g.keys[1:], g.names[1:], g.cells, g.places[1:])
        for g in sorted(every, key=lambda g: (g.keys[0], g.cells[0].value))
    }
    return [group.names[0] for group in arrange([*newest.values()], [series], len(newest))]


def draw_deciles(widget: DecilesWidget, canvas: Canvas, panel_id: str) -> Panel:
    """Bars, lines or cumulative shares by decile."""
    found = canvas.ask(widget, widget.dimensions_used, widget.measures)
    labels = [canvas.say(measure.label) for measure in widget.measures]

    def rows_of(groups: list[Group]) -> Rows:
        tenths = sorted((g for g in groups if g.keys[0] in range(1, 11)), key=lambda g: g.keys[0])
        if widget.shape == "concentration":
            return _cumulate(tenths, labels)
        return [row for group in tenths for row in _rows(group, widget.measures, labels)]

    plan = _plan(widget, canvas, found, rows_of, labels, widget.measures)
    if plan is None:
        return nothing(widget, canvas)
    heading = "Share of persons, best first" if widget.shape == "concentration" else "Decile"
    plan = Plan(plan.title, plan.names, plan.series, plan.unit, plan.format, heading)
    if widget.shape == "concentration":
        spec = charts.draw_concentration(plan)
    elif widget.shape == "lines":
        spec = charts.draw_lines(plan, over_time=False)
    else:
        spec = charts.draw_standing_bars(plan)
    return as_chart(widget, canvas, panel_id, found, spec, rows_of, [heading, *labels])


def _cumulate(tenths: Sequence[Group], labels: Sequence[str]) -> Rows:
    """Points from 0 to 1 of cumulative persons and of each measure."""
    persons = [group.persons or 0 for group in tenths]
    rows: Rows = []
    for n, label in enumerate(labels):
        values = [group.cells[n].value or 0 for group in tenths]
        if not sum(persons) or not sum(values):
            continue
        points = zip(accumulate(persons, initial=0), accumulate(values, initial=0), strict=True)
        for people, amount in points:
            share, of = amount / sum(values), people / sum(persons)
            rows.append(
                {"name": round(of, 4), "series": label, "value": share, "text": percent(share)}
            )
    return rows


def draw_heat_map(widget: HeatMapWidget, canvas: Canvas, panel_id: str) -> Panel:
    """A number for each pair of values."""
    found = canvas.ask(widget, widget.dimensions_used, [widget.measure])

    def rows_of(groups: list[Group]) -> Rows:
        ordered = arrange(groups, widget.dimensions_used, len(groups))
        if widget.of_first:
            ordered = _share_of_first(ordered)
        shown = list(dict.fromkeys(group.names[0] for group in ordered))[: widget.limit]
        return [
            {
                "name": group.names[0],
                "column": group.names[1],
                "value": group.cells[0].value,
                "text": write_number(group.cells[0].value, widget.measure),
                "short": _short(group.cells[0].value, widget.measure),
            }
            for group in ordered
            if group.cells[0].value is not None and group.names[0] in shown
        ]

    every = [row for groups in found.values() for row in rows_of(groups)]
    if not every:
        return nothing(widget, canvas)
    across = widget.columns
    pairs = [g for groups in found.values() for g in groups]
    by_column = [Group((g.keys[1],), (g.names[1],), ()) for g in pairs]
    columns = list(dict.fromkeys(g.names[0] for g in arrange(by_column, [across], len(pairs))))
    plan = Plan(
        canvas.say(widget.title),
        list(dict.fromkeys(row["name"] for row in every)),
        [],
        canvas.say(widget.measure.label),
        axis_format(widget.measure),
        widget.rows.title,
    )
    spec = charts.draw_heat_map(
        plan, columns, column_title=across.title, highest=max(row["value"] for row in every)
    )
    titles = [widget.rows.title, *columns]
    return as_chart(widget, canvas, panel_id, found, spec, rows_of, titles)


def _share_of_first(groups: Sequence[Group]) -> list[Group]:
    """Each row of a heat map as shares of the number in its first column.

    Rows whose first is not told are left out, and so are those of which nothing else is.
    """
    first: dict[str, Any] = {}
    shares: dict[str, list[Group]] = {}
    for group in groups:
        value = group.cells[0].value
        whole = first.setdefault(group.names[0], value)
        if value is not None and whole:
            share = replace(group, cells=(Cell(value / whole),))
            shares.setdefault(group.names[0], []).append(share)
    return [share for row in shares.values() if len(row) > 1 for share in row]


def _short(value: float, measure: Measure) -> str:
    """A number that fits into a square."""
    if measure.format == "percent":
        return percent(value, 0)
    if measure.format == "whole" and abs(value) >= 10_000:
        return f"{value / 1000:,.0f}k"
    return write_number(value, measure)


def draw_funnel(widget: FunnelWidget, canvas: Canvas, panel_id: str) -> Panel:
    """Steps from the first to the last."""
    found = canvas.ask(widget, [], widget.steps)
    labels = [canvas.say(step.label) for step in widget.steps]

    def rows_of(groups: list[Group]) -> Rows:
        rows: Rows = []
        for group in groups:
            first = group.cells[0].value
            for label, cell, step in zip(labels, group.cells, widget.steps, strict=True):
                if cell.value is not None and first:
                    text = f"{write_number(cell.value, step)} ({percent(cell.value / first)})"
                    rows.append(
                        {"name": label, "series": "persons", "value": cell.value, "text": text}
                    )
        return rows

    plan = _plan(widget, canvas, found, rows_of, ["persons"], widget.steps)
    if plan is None:
        return nothing(widget, canvas)
    plan = Plan(plan.title, labels, plan.series, plan.unit, plan.format)
    spec = charts.draw_funnel(plan)
    return as_chart(widget, canvas, panel_id, found, spec, rows_of, ["Step", "persons"])


def draw_interval(widget: IntervalWidget, canvas: Canvas, panel_id: str) -> Panel:
    """Estimates with intervals."""
    found = canvas.ask(widget, [widget.dimension], widget.measures_used)
    verdicts = ["not significant", "significant"] if widget.significant else ["estimate"]

    def rows_of(groups: list[Group]) -> Rows:
        rows: Rows = []
        for group in arrange(groups, [widget.dimension], widget.limit):
            cell = group.cells[0]
            if cell.value is None or cell.low is None or cell.high is None:
                continue
            stands_out = bool(widget.significant and group.cells[1].value)
            text = write_interval(cell.value, cell.low, cell.high, widget.measure)
            row = {"name": group.names[0], "series": verdicts[stands_out], "text": text}
            rows.append({**row, "value": cell.value, "low": cell.low, "high": cell.high})
        return rows

    plan = _plan(widget, canvas, found, rows_of, verdicts, [widget.measure])
    if plan is None:
        return nothing(widget, canvas)
    spec = charts.draw_intervals(plan)
    return as_chart(
        widget, canvas, panel_id, found, spec, rows_of, [widget.dimension.title, *verdicts]
    )


def _rows(
    group: Group, measures: Sequence[Measure], series: Sequence[str], name: str | None = None
) -> Rows:
    return [
        {
            "name": name or group.names[0],
            "series": label,
            "value": cell.value,
            "text": write_interval(cell.value, cell.low, cell.high, measure),
        }
        for cell, measure, label in zip(group.cells, measures, series, strict=False)
        if cell.value is not None
    ]


def _plan(
    widget: Widget,
    canvas: Canvas,
    found: Mapping[str, list[Group]],
    rows_of: Callable[[list[Group]], Rows],
    series: Sequence[str],
    measures: Sequence[Measure],
) -> Plan | None:
    """What all choices have in common; None where none has a row."""
    first = canvas.first_key(widget) or "-"
    keys = sorted(found, key=lambda key: key != first)
    rows = [row for key in keys for row in rows_of(found[key])]
    if not rows:
        return None
    labels = [canvas.say(measure.label) for measure in measures]
    unit = labels[0] if len(labels) == 1 else ""
    names = list(dict.fromkeys(row["name"] for row in rows))
    return Plan(canvas.say(widget.title), names, [*series], unit, axis_format(measures[0]))
