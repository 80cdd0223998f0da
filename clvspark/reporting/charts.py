"""The charts of widgets: what is shown in, Vega-Lite out; each is as wide as its place.

Their rows are put in by the page: ``name`` (of the group), ``series``, ``value``, ``text`` (the value as written), and
``low, high`` where there is an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt

from clvspark.reporting.drawing import (
    BLUE,
    CARD,
    COLUMN_AXIS,
    COUNT_AXIS,
    GREY,
    INK,
    NAME_AXIS,
    ROW_HEIGHT,
    SERIES,
    VERMILION,
    Rows,
    colour_by,
    finish_chart,
    make_chart,
    make_layer,
)

Spec = dict[str, Any]
_HEIGHT = 260
_GROUPED_STEP = 18
# Pixels of a character of the numbers beside bars, rather too many than too few.
_CHARACTER = 7.6
# Labels that have no room are left out, not written over each other.
_STEPS = alt.Axis(labelAngle=0, labelOverlap="greedy", labelSeparation=6)
_DAYS = alt.Axis(
    labelAngle=0,
    tickCount=6,
    grid=False,
    labelExpr="utcFormat(datum.value, utcdate(datum.value) == 1 ? '%b %Y' : '%-d %b')",
)


@dataclass(frozen=True)
class Plan:
    """What the charts of a widget have in common, whatever is chosen.

    Parameters
    ----------
    names, series : in the order in which they are shown.
    unit : title of the axis of values.
    format : of D3, for the values.
    """

    title: str
    names: list[str]
    series: list[str]
    unit: str
    format: str
    name_title: str = ""

    @property
    def values(self) -> alt.Axis:
        """Axis of the values."""
        if self.format.startswith(",.0f"):
            return COUNT_AXIS
        return alt.Axis(format=self.format, tickCount=5)

    @property
    def tips(self) -> list[alt.Tooltip]:
        """What is said of a mark."""
        return [
            alt.Tooltip("name:N", title=self.name_title or " "),
            alt.Tooltip("series:N", title="What"),
            alt.Tooltip("text:N", title="Value"),
        ]

    @property
    def colour(self) -> alt.Color:
        """One for each series, with a legend where there are several."""
        colour = colour_by("series", self.series, SERIES[: len(self.series)])
        return colour if len(self.series) > 1 else colour.legend(None)


def draw_lying_bars(plan: Plan, *, stacked: bool, line: str | None = None) -> Spec:
    """Bars from the left with their numbers, a line through all of them where one series is called `line`."""
    bars = [name for name in plan.series if name != line]
    rows = make_layer().transform_filter(alt.FieldOneOfPredicate(field="series", oneOf=bars))
    y = alt.Y("name:N", sort=plan.names, axis=NAME_AXIS)
    # Numbers beyond the bars have the room that they need, and no more.
    nice = alt.Scale(nice=False) if len(bars) == 1 and line is None else alt.Undefined
    x = alt.X("value:Q", title=plan.unit, axis=plan.values, scale=nice)
    colour = plan.colour
    layers: list[alt.Chart] = []
    if len(bars) == 1 or stacked:
        ranked = {name: n for n, name in enumerate(bars)}
        shown = rows.transform_calculate(place=f"{ranked}[datum.series]".replace("'", '"'))
        layers.append(
            shown.mark_bar(height={"band": 0.62}).encode(
                x=x, y=y, color=colour, order=alt.Order("place:Q"), tooltip=plan.tips
            )
        )
    else:
        offset = alt.YOffset("series:N", sort=bars)
        layers.append(
            rows.mark_bar().encode(x=x, y=y, yOffset=offset, color=colour, tooltip=plan.tips)
        )
    if len(bars) == 1 and line is None:
        # Beyond the end of the bar, on whichever side of 0 it is.
        ahead = rows.transform_filter("datum.value >= 0").mark_text(align="left", dx=5)
        behind = rows.transform_filter("datum.value < 0").mark_text(align="right", dx=-5)
        layers += [texts.encode(x=x, y=y, text="text:N") for texts in (ahead, behind)]
        layers.append(_make_room(rows).encode(x=alt.X("end:Q"), y=y))
    if line is not None:
        if len(bars) == 1:
            # In a column of their own, which the line does not cross.
            texts = rows.mark_text(align="left", dx=8)
            layers.append(texts.encode(x=alt.value("width"), y=y, text="text:N"))
        only = make_layer().transform_filter(alt.FieldEqualPredicate(field="series", equal=line))
        layers.append(
            only.mark_rule(strokeWidth=3).encode(
                x=alt.X("max(value):Q"),
                color=colour,
                tooltip=[alt.Tooltip("max(value):Q", title=line)],
            )
        )
    step = ROW_HEIGHT if len(bars) == 1 or stacked else _GROUPED_STEP
    chart = alt.LayerChart(layer=layers)
    return finish_chart(chart, height=alt.Step(step), description=plan.title)


def _make_room(rows: alt.Chart) -> alt.Chart:
    """Unseen marks, ``end``, as far beyond the ends of the bars as their numbers reach, however narrow the chart is."""
    sized = rows.transform_calculate(length="length(datum.text)").transform_joinaggregate(
        most="max(value)", least="min(value)", longest="max(length)"
    )
    span = "(max(datum.most, 0) - min(datum.least, 0))"
    pixels = f"(8 + {_CHARACTER} * datum.longest) * (datum.most > 0 && datum.least < 0 ? 2 : 1)"
    share = f"({_CHARACTER} * length(datum.text) + 8) / max(width - {pixels}, 40)"
    end = f"datum.value + (datum.value < 0 ? -1 : 1) * {share} * {span}"
    return sized.transform_calculate(end=end).mark_point(opacity=0, aria=False, tooltip=False)


def draw_standing_bars(plan: Plan) -> Spec:
    """Bars from the bottom, side by side within a group."""
    chart = make_layer().mark_bar()
    encoded = chart.encode(
        x=alt.X("name:N", sort=plan.names, title=plan.name_title, axis=_STEPS),
        xOffset=alt.XOffset("series:N", sort=plan.series),
        y=alt.Y("value:Q", title=plan.unit, axis=plan.values),
        color=plan.colour,
        tooltip=plan.tips,
    )
    return finish_chart(encoded, height=_HEIGHT, description=plan.title)


def draw_lines(plan: Plan, *, over_time: bool) -> Spec:
    """Lines with a point at each value."""
    if over_time:
        # Dates are days everywhere; the padding keeps the first point off the labels beside it.
        scale = alt.Scale(type="utc", padding=8)
        x = alt.X("name:T", title=None, axis=_DAYS, scale=scale)
    else:
        x = alt.X("name:N", sort=plan.names, title=plan.name_title, axis=alt.Axis(labelAngle=0))
    y = alt.Y("value:Q", title=plan.unit, axis=plan.values)
    lines = make_layer().mark_line(point={"size": 46, "filled": True}, strokeWidth=2)
    chart = lines.encode(
        x=x,
        y=y,
        color=plan.colour,
        shape=alt.Shape("series:N", sort=plan.series, legend=None),
        tooltip=plan.tips,
    )
    return finish_chart(chart, height=_HEIGHT, description=plan.title)


def draw_concentration(plan: Plan) -> Spec:
    """Cumulative shares from 0 to 1, best first; `name` is the share of persons."""
    percent = alt.Axis(format=".0%", tickCount=5)
    x = alt.X("name:Q", title=plan.name_title, axis=percent)
    y = alt.Y("value:Q", title=plan.unit, axis=percent)
    even = make_chart([{"name": 0, "value": 0}, {"name": 1, "value": 1}]).mark_line(
        color=GREY, strokeDash=[4, 4], strokeWidth=1
    )
    lines = make_layer().mark_line(point={"size": 36}, strokeWidth=2, clip=False)
    tips = [
        alt.Tooltip("series:N", title="What"),
        alt.Tooltip("name:Q", title="Persons", format=".0%"),
        alt.Tooltip("value:Q", title="Share", format=".1%"),
    ]
    layers = even.encode(x=x, y=y) + lines.encode(x=x, y=y, color=plan.colour, tooltip=tips)
    return finish_chart(layers, height=_HEIGHT, description=plan.title)


def draw_heat_map(plan: Plan, columns: list[str], *, column_title: str, highest: float) -> Spec:
    """A square for each pair of ``name`` and ``column``, the darker the more, with its number."""
    x = alt.X("column:N", sort=columns, title=column_title or None, axis=COLUMN_AXIS)
    y = alt.Y("name:N", sort=plan.names, axis=NAME_AXIS)
    scale = alt.Scale(domain=[0, highest or 1], range=[0.05, 1])
    tips = [
        alt.Tooltip("name:N", title=plan.name_title or " "),
        alt.Tooltip("column:N", title=column_title or " "),
        alt.Tooltip("text:N", title=plan.unit),
    ]
    # The page shows the legend where squares are too narrow for their numbers, and the numbers elsewhere.
    legend = alt.Legend(
        type="symbol",
        symbolFillColor=BLUE,
        symbolStrokeWidth=0,
        columns=0,
        format=plan.format,
        tickCount=3,
    )
    shade = alt.Opacity("value:Q", scale=scale, legend=legend)
    rects = make_layer().mark_rect(stroke=CARD, strokeWidth=2, fill=BLUE)
    cells = rects.encode(x=x, y=y, opacity=shade, tooltip=tips)
    ink = alt.when(f"datum.value > {0.65 * (highest or 1)}").then(alt.value(CARD))
    texts = (
        make_layer()
        .mark_text()
        .encode(x=x, y=y, text="short:N", color=ink.otherwise(alt.value(INK)))
    )
    return finish_chart(cells + texts, height=alt.Step(ROW_HEIGHT - 2), description=plan.title)


def draw_funnel(plan: Plan) -> Spec:
    """Bars that get shorter, each with its number and its share of the first."""
    y = alt.Y("name:N", sort=plan.names, axis=NAME_AXIS)
    x = alt.X("value:Q", title=None, axis=None, scale=alt.Scale(nice=False, zero=True))
    bars = make_layer().mark_bar(color=BLUE, height={"band": 0.8}, cornerRadiusEnd=3)
    texts = make_layer().mark_text(align="left", dx=6)
    layers = bars.encode(x=x, y=y, tooltip=plan.tips) + texts.encode(x=x, y=y, text="text:N")
    return finish_chart(layers, height=alt.Step(ROW_HEIGHT + 8), description=plan.title)


def draw_intervals(plan: Plan) -> Spec:
    """Points with their intervals, and a line at 0."""
    y = alt.Y("name:N", sort=plan.names, axis=NAME_AXIS)
    axis = alt.Axis(format=",.2~f", tickCount=5)
    colours = [GREY, VERMILION] if len(plan.series) > 1 else [BLUE]
    colour = colour_by("series", plan.series, colours)
    zero = make_chart([{"value": 0}]).mark_rule(color=INK, strokeWidth=1)
    spans, points = (
        make_layer().mark_rule(strokeWidth=3),
        make_layer().mark_point(size=90, opacity=1),
    )
    x = alt.X("value:Q", title=plan.unit, axis=axis)
    layers = (
        zero.encode(x=x)
        + spans.encode(
            x=alt.X("low:Q", axis=axis), x2="high:Q", y=y, color=colour, tooltip=plan.tips
        )
        + points.encode(x=x, y=y, color=colour, fill=colour, tooltip=plan.tips)
    )
    return finish_chart(layers, height=alt.Step(ROW_HEIGHT), description=plan.title)


def draw_columns(rows: Rows, *, x_title: str, unit: str, description: str) -> Spec:
    """Standing bars of literal rows, in the order given. In: ``name, value``."""
    order = [row["name"] for row in rows]
    x = alt.X("name:N", sort=order, title=x_title, axis=alt.Axis(labelAngle=0))
    y = alt.Y("value:Q", title=unit, axis=COUNT_AXIS)
    tips = [alt.Tooltip("name:N", title=x_title), alt.Tooltip("value:Q", title=unit, format=",.0f")]
    chart = make_chart(rows).mark_bar(color=BLUE).encode(x=x, y=y, tooltip=tips)
    return finish_chart(chart, height=240, description=description)
