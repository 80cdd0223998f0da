"""The charts of the page: rows in, Vega-Lite out; each is as wide as the place it is put in."""

from __future__ import annotations

from typing import Any

import altair as alt

from clvspark.reporting.drawing import (
    BLUE,
    COUNT_AXIS,
    GREEN,
    GREY,
    INK,
    NAME_AXIS,
    ORANGE,
    PALE,
    ROW_HEIGHT,
    SKY,
    VERMILION,
    Rows,
    colour_by,
    finish_chart,
    make_chart,
    room_for_numbers,
)


def draw_shares_by_decile(rows: Rows, series: list[str], description: str) -> dict[str, Any]:
    """Bars side by side. In: ``decile, series, share, amount``."""
    chart = (
        make_chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("decile:O", title="Decile (1 is the best)", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("series:N", sort=series),
            y=alt.Y(
                "share:Q", title="Share of the total", axis=alt.Axis(format=".0%", tickCount=5)
            ),
            color=colour_by("series", series, [BLUE, VERMILION]),
            tooltip=[
                alt.Tooltip("decile:O", title="Decile"),
                alt.Tooltip("series:N", title="What"),
                alt.Tooltip("share:Q", title="Share", format=".1%"),
                alt.Tooltip("amount:Q", title="Amount", format=",.0f"),
            ],
        )
    )
    return finish_chart(chart, height=280, description=description)


def draw_concentration(rows: Rows, series: list[str], description: str) -> dict[str, Any]:
    """Cumulative shares, best persons first. In: ``persons, value, series`` from 0 to 1."""
    even = make_chart([{"persons": 0, "value": 0}, {"persons": 1, "value": 1}]).mark_line(
        color=GREY, strokeDash=[4, 4], strokeWidth=1
    )
    lines = make_chart(rows).mark_line(point={"size": 36}, strokeWidth=2, clip=False)
    x = alt.X(
        "persons:Q", title="Share of persons, best first", axis=alt.Axis(format=".0%", tickCount=5)
    )
    y = alt.Y("value:Q", title="Share of the total", axis=alt.Axis(format=".0%", tickCount=5))
    colour = colour_by("series", series, [GREEN, BLUE, VERMILION][: len(series)])
    percent = [
        alt.Tooltip(f"{name}:Q", title=title, format=".1%")
        for name, title in (("persons", "Persons"), ("value", "Share"))
    ]
    tips = [alt.Tooltip("series:N", title="What"), *percent]
    return finish_chart(
        even.encode(x=x, y=y) + lines.encode(x=x, y=y, color=colour, tooltip=tips),
        height=280,
        description=description,
    )


def draw_bars(
    rows: Rows, *, unit: str, digits: int = 0, description: str, colour: str = BLUE
) -> dict[str, Any]:
    """Lying bars with their numbers, in the order given. In: ``name, value``."""
    order, format_ = [row["name"] for row in rows], f",.{digits}f"
    y = alt.Y("name:N", sort=order, axis=NAME_AXIS)
    x = alt.X("value:Q", title=unit, axis=COUNT_AXIS, scale=room_for_numbers(rows))
    tips = [alt.Tooltip("name:N", title=" "), alt.Tooltip("value:Q", title=unit, format=format_)]
    bars = (
        make_chart(rows)
        .mark_bar(color=colour, height={"band": 0.62})
        .encode(x=x, y=y, tooltip=tips)
    )
    texts = (
        make_chart(rows)
        .mark_text(align="left", dx=5)
        .encode(x=x, y=y, text=alt.Text("value:Q", format=format_))
    )
    return finish_chart(bars + texts, height=alt.Step(ROW_HEIGHT), description=description)


def draw_columns(rows: Rows, *, x_title: str, unit: str, description: str) -> dict[str, Any]:
    """Standing bars, in the order given. In: ``name, value``."""
    order = [row["name"] for row in rows]
    x = alt.X("name:N", sort=order, title=x_title, axis=alt.Axis(labelAngle=0))
    y = alt.Y("value:Q", title=unit, axis=COUNT_AXIS)
    tips = [alt.Tooltip("name:N", title=x_title), alt.Tooltip("value:Q", title=unit, format=",.0f")]
    chart = make_chart(rows).mark_bar(color=BLUE).encode(x=x, y=y, tooltip=tips)
    return finish_chart(chart, height=240, description=description)


def draw_grouped_bars(
    rows: Rows, series: list[str], *, unit: str, description: str
) -> dict[str, Any]:
    """Lying bars, one of each series a name. In: ``name, series, value``."""
    order = list(dict.fromkeys(row["name"] for row in rows))
    chart = (
        make_chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("value:Q", title=unit, axis=COUNT_AXIS),
            y=alt.Y("name:N", sort=order, axis=NAME_AXIS),
            yOffset=alt.YOffset("series:N", sort=series),
            color=colour_by("series", series, [SKY, BLUE]),
            tooltip=["name:N", "series:N", alt.Tooltip("value:Q", title=unit, format=",.0f")],
        )
    )
    return finish_chart(chart, height=alt.Step(20), description=description)


def draw_stacked_bars(
    rows: Rows, series: list[str], *, unit: str, description: str
) -> dict[str, Any]:
    """Lying bars of up to four parts. In: ``name, series, value``; `series` from the left."""
    order = list(dict.fromkeys(row["name"] for row in rows))
    ranked = [{**row, "place": series.index(row["series"])} for row in rows]
    chart = (
        make_chart(ranked)
        .mark_bar(height={"band": 0.62})
        .encode(
            x=alt.X("value:Q", title=unit, axis=COUNT_AXIS),
            y=alt.Y("name:N", sort=order, axis=NAME_AXIS),
            color=colour_by("series", series, [BLUE, ORANGE, GREY, PALE]),
            order=alt.Order("place:Q"),
            tooltip=["name:N", "series:N", alt.Tooltip("value:Q", title=unit, format=",.0f")],
        )
    )
    return finish_chart(chart, height=alt.Step(ROW_HEIGHT), description=description)


def draw_predicted(rows: Rows, actual: float, *, unit: str, description: str) -> dict[str, Any]:
    """Lying bars of predictions and one line of what came true. In: ``name, series, value``."""
    y = alt.Y("name:N", sort=[row["name"] for row in rows], axis=NAME_AXIS)
    scale = room_for_numbers([*rows, {"value": actual}])
    x = alt.X("value:Q", title=unit, axis=COUNT_AXIS, scale=scale)
    series = ["champion", "other model"]
    tip = alt.Tooltip("value:Q", title="predicted", format=",.0f")
    colour = colour_by("series", series, [BLUE, SKY])
    bars = make_chart(rows).mark_bar(height={"band": 0.62})
    line = make_chart([{"value": actual}]).mark_rule(color=VERMILION, strokeWidth=3)
    # The numbers stand inside the bars, where the line cannot cross them.
    ink = alt.when("datum.series === 'champion'").then(alt.value("white"))
    texts = make_chart(rows).mark_text(align="right", dx=-8)
    return finish_chart(
        bars.encode(x=x, y=y, color=colour, tooltip=["name:N", tip])
        + line.encode(x=x, tooltip=[alt.Tooltip("value:Q", title="actual", format=",.0f")])
        + texts.encode(
            x=x, y=y, text=alt.Text("value:Q", format=",.0f"), color=ink.otherwise(alt.value(INK))
        ),
        height=alt.Step(ROW_HEIGHT + 8),
        description=description,
    )


def draw_overlap(rows: Rows, names: list[str], description: str) -> dict[str, Any]:
    """Square of shares. In: ``row, column, share, persons``."""
    x = alt.X(
        "column:N", sort=names, title="… is also in", axis=alt.Axis(labelAngle=-35, labelLimit=190)
    )
    y = alt.Y("row:N", sort=names, title=None, axis=alt.Axis(labelLimit=190, labelPadding=6))
    tips = [
        "row:N",
        "column:N",
        alt.Tooltip("share:Q", format=".1%"),
        alt.Tooltip("persons:Q", format=",.0f"),
    ]
    scale = alt.Scale(domain=[0, 1], range=["#EEF4FA", BLUE])
    cells = (
        make_chart(rows)
        .mark_rect(stroke="white", strokeWidth=2)
        .encode(x=x, y=y, color=alt.Color("share:Q", scale=scale, legend=None), tooltip=tips)
    )
    ink = alt.when("datum.share > 0.55").then(alt.value("white")).otherwise(alt.value(INK))
    texts = (
        make_chart(rows)
        .mark_text()
        .encode(x=x, y=y, text=alt.Text("share:Q", format=".0%"), color=ink)
    )
    return finish_chart(cells + texts, height=alt.Step(ROW_HEIGHT + 4), description=description)


def draw_rates(rows: Rows, series: list[str], description: str) -> dict[str, Any]:
    """Lines of rates by decile. In: ``decile, series, rate``."""
    chart = (
        make_chart(rows)
        .mark_line(point={"size": 46, "filled": True}, strokeWidth=2)
        .encode(
            x=alt.X("decile:O", title="Decile of CLV (1 is the best)", axis=alt.Axis(labelAngle=0)),
            y=alt.Y(
                "rate:Q", title="Share of those contacted", axis=alt.Axis(format=".0%", tickCount=5)
            ),
            color=colour_by("series", series, [BLUE, GREEN, VERMILION]),
            shape=alt.Shape("series:N", sort=series, legend=None),
            tooltip=["decile:O", "series:N", alt.Tooltip("rate:Q", format=".1%")],
        )
    )
    return finish_chart(chart, height=260, description=description)


def draw_intervals(rows: Rows, *, unit: str, description: str) -> dict[str, Any]:
    """Differences with intervals around 0. In: ``name, series, difference, ci_low, ci_high``."""
    order = [row["name"] for row in rows]
    y = alt.Y("name:N", sort=order, axis=NAME_AXIS)
    axis = alt.Axis(format=",.2~f", tickCount=5)
    colour = colour_by("series", ["not significant", "significant"], [GREY, VERMILION])
    tips = [
        "name:N",
        *(alt.Tooltip(f"{n}:Q", format=",.2f") for n in ("difference", "ci_low", "ci_high")),
    ]
    zero = (
        make_chart([{"difference": 0}])
        .mark_rule(color=INK, strokeWidth=1)
        .encode(x=alt.X("difference:Q", title=unit, axis=axis))
    )
    spans = (
        make_chart(rows)
        .mark_rule(strokeWidth=3)
        .encode(
            x=alt.X("ci_low:Q", title=unit, axis=axis),
            x2="ci_high:Q",
            y=y,
            color=colour,
            tooltip=tips,
        )
    )
    points = (
        make_chart(rows)
        .mark_point(filled=True, size=90, opacity=1)
        .encode(x=alt.X("difference:Q", title=unit, axis=axis), y=y, color=colour, tooltip=tips)
    )
    return finish_chart(zero + spans + points, height=alt.Step(ROW_HEIGHT), description=description)
