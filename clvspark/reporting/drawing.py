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
    "axisY": {"domain": False, "ticks": False, "labelLimit": 300},
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
# Parameters of a chart that the page sets by the width of its place: how many characters a line of a label may have.
_LINES = {"name_line": 40, "column_line": 20, "legend_line": 60}
_LINE_HEIGHT = 14


def _in_lines(letters: str) -> str:
    """Expression of Vega for a label in lines; they end at spaces, and within BetaGeoModel and sources.event."""
    within = "(?<=[a-z])(?=[A-Z])|(?<=[a-z][.])(?=[a-z])"
    pattern = f"'(.{{1,' + {letters} + '}})(?:\\\\s+|$|{within})'"
    return f"split(trim(replace(datum.label, regexp({pattern}, 'g'), '$1\\n')), '\\n')"


def _name_axis(letters: str, **looks: Any) -> alt.Axis:
    """Axis of names in lines, which stand around the middle of what they name."""
    lines = _in_lines(letters)
    above = alt.ExprRef(f"-{_LINE_HEIGHT / 2} * (length({lines}) - 1)")
    return alt.Axis(labelExpr=lines, labelOffset=above, grid=False, **looks)


NAME_AXIS = _name_axis("name_line", title=None, labelPadding=6, labelBaseline="middle")
COLUMN_AXIS = _name_axis("column_line", labelOverlap=False)
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
    kept = {key: value for key, value in spec.items() if key not in ("$schema", "config")}
    return {**kept, "params": [{"name": name, "value": value} for name, value in _LINES.items()]}


def colour_by(field: str, domain: list[str], colours: list[str]) -> alt.Color:
    """One colour for each name of `domain`, in this order."""
    scale = alt.Scale(domain=domain, range=colours)
    legend = alt.Legend(labelExpr=_in_lines("legend_line"))
    return alt.Color(f"{field}:N", scale=scale, sort=domain, legend=legend)
