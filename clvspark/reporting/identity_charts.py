"""The charts of a linkage model, which the commands of identity show as well."""

from __future__ import annotations

import altair as alt

from clvspark.reporting.blocks import Chart
from clvspark.reporting.charts import draw_columns
from clvspark.reporting.drawing import BLUE, VERMILION, Rows, finish_chart, make_chart

_LEVEL_HEIGHT = 18


def draw_match_weights(levels: Rows) -> Chart:
    """Lying bars, one a level. In: ``comparison, label, weight, seen`` of the training report."""
    rows = [
        {
            "name": f"{level['comparison']}: {level['label']}",
            "value": round(level["weight"], 3),
            "seen": "estimated" if level["seen"] else "not estimated",
        }
        for level in levels
    ]
    title = "What each level of a comparison adds to a pair, in bits"
    colour = alt.when("datum.value < 0").then(alt.value(VERMILION)).otherwise(alt.value(BLUE))
    pale = alt.when("datum.seen === 'estimated'").then(alt.value(1))
    chart = (
        make_chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("value:Q", title="Bits"),
            y=alt.Y("name:N", sort=None, axis=alt.Axis(title=None, labelLimit=0, grid=False)),
            color=colour,
            opacity=pale.otherwise(alt.value(0.4)),
            tooltip=["name:N", alt.Tooltip("value:Q", title="Bits", format="+.2f"), "seen:N"],
        )
    )
    hint = (
        "Ten bits are a thousand to one. Pale: a level too rare in training for m and u to be estimated both. How "
        "common a value is comes on top."
    )
    spec = finish_chart(chart, height=_LEVEL_HEIGHT * len(rows), description=title)
    return Chart("match-weights", title, hint, spec)


def draw_unlinkables(shares: list[tuple[float, float]]) -> Chart:
    """Standing bars: share of records that do not reach a threshold even with themselves."""
    rows = [{"name": f"{weight:g}", "value": round(100 * share, 3)} for weight, share in shares]
    title = "Records that cannot be linked, by threshold"
    hint = "A record that does not match even itself at a threshold knows too little to be linked at it."
    spec = draw_columns(
        rows, x_title="Threshold in bits", unit="Per cent of the records", description=title
    )
    return Chart("unlinkables", title, hint, spec)
