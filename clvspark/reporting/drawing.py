"""What all charts share: colours, fonts, axes, size."""

from __future__ import annotations

from typing import Any

import altair as alt

Rows = list[dict[str, Any]]

# Names of the style sheet, which knows light, dark and paper; SVG takes them where it takes colours. They are Okabe
# and Ito's colours, which keep apart for all kinds of colour vision, and in print by lightness.
BLUE, VERMILION, GREEN, ORANGE, GREY = (f"var(--c{number})" for number in range(1, 6))
SERIES = [BLUE, VERMILION, GREEN, ORANGE, GREY]
INK, RULE, CARD = "var(--ink)", "var(--rule)", "var(--card)"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"

CONFIG: dict[str, Any] = {
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 600,
        "gridColor": RULE,
        "domainColor": GREY,
        "tickColor": GREY,
        "titlePadding": 10,
    },
    "axisY": {"domain": False, "ticks": False, "labelLimit": 200},
    "legend": {
        "orient": "top",
        "direction": "horizontal",
        "title": None,
        "labelColor": INK,
        "labelFontSize": 12,
        "labelLimit": 0,
        "columns": 1,
        "offset": 6,
        "symbolType": "square",
    },
    "text": {"color": INK, "fontSize": 12},
}

ROW_HEIGHT = 34
ROWS_NAME = "rows"
# A name may have a second line.
NAME_AXIS = alt.Axis(
    title=None,
    labelPadding=6,
    grid=False,
    labelExpr="split(datum.label, '\\n')",
    labelBaseline="middle",
)
COUNT_AXIS = alt.Axis(format=",.0f", tickCount=4, tickMinStep=1)


def make_chart(rows: Rows) -> alt.Chart:
    """Chart of literal rows; no file or address is ever read."""
    return alt.Chart(alt.Data(values=rows))


def make_layer() -> alt.Chart:
    """Chart, or layer of one, of the rows that the page puts in under the name `ROWS_NAME`."""
    return alt.Chart(alt.NamedData(ROWS_NAME))


def finish_chart(
    chart: alt.Chart | alt.LayerChart, *, height: int | alt.Step, description: str
) -> dict[str, Any]:
    """Return the Vega-Lite specification of a chart, as wide as its place."""
    sized = chart.properties(
        width="container",
        height=height,
        description=description,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )
    spec: dict[str, Any] = sized.to_dict()
    # Looks are given once for the page; the address of the schema would be a link to outside.
    return {key: value for key, value in spec.items() if key not in ("$schema", "config")}


def colour_by(field: str, domain: list[str], colours: list[str]) -> alt.Color:
    """One colour for each name of `domain`, in this order."""
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=domain, range=colours), sort=domain)
