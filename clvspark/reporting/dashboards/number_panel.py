"""One number, and how it has changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clvspark.reporting.blocks import Tile
from clvspark.reporting.dashboards.answers import Group
from clvspark.reporting.dashboards.panels import Canvas, Panel
from clvspark.reporting.dashboards.parts import Measure
from clvspark.reporting.dashboards.widgets import NumberWidget
from clvspark.reporting.formats import UNKNOWN, percent, write_interval


def draw_number(widget: NumberWidget, canvas: Canvas, panel_id: str) -> Panel:
    """One number with its change."""
    found = canvas.ask(widget, [], [widget.measure])
    before: Mapping[str, list[Group]] = {}
    earlier = canvas.date_before(widget)
    if earlier:
        before = canvas.ask(widget, [], [widget.measure], as_of=earlier)
    choices = {}
    for key, groups in found.items():
        cell = groups[0].cells[0]
        old = before[key][0].cells[0].value if key in before else None
        change = describe_change(cell.value, old, widget.measure)
        choices[key] = {
            "value": write_interval(cell.value, cell.low, cell.high, widget.measure),
            "change": f"{change} since {earlier}" if change else "",
        }
    first = choices.get(canvas.first_key(widget) or "-", {"value": UNKNOWN, "change": ""})
    tile = Tile(
        canvas.say(widget.title), first["value"], canvas.say(widget.hint), first["change"], panel_id
    )
    return Panel(tile, canvas.follows(widget), choices)


def describe_change(now: Any, before: Any, measure: Measure) -> str:
    """The change of a number in words; nothing where it cannot be told."""
    if not isinstance(now, int | float) or not isinstance(before, int | float):
        return ""
    if measure.format == "percent":
        return f"{(now - before) * 100:+,.1f} points"
    if not before:
        return ""
    sign = "+" if now >= before else "\N{MINUS SIGN}"
    return f"{sign}{percent(abs(now / before - 1))}"
