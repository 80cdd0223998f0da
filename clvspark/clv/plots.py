"""Plots by which a model of purchases is judged: small pandas frames in, altair charts out."""

from __future__ import annotations

from datetime import date

import altair as alt
import pandas as pd

# Okabe & Ito's colours keep apart for all kinds of colour vision.
_COLOURS = ("#1B1F24", "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9")
_GREY = "#8A8F98"
_WIDTH, _HEIGHT = 460, 280
ACTUAL, PREDICTED = "actual", "predicted"


def plot_by_repeats(averages: pd.DataFrame) -> alt.Chart:
    """Mean purchases in the holdout by repeat purchases before it. In: `curves.average_by_repeats`."""
    most = int(averages["repeats"].max())
    labels = averages["repeats"].astype(int).astype(str)
    rows = averages.assign(group=labels.where(averages["repeats"] < most, f"{most}+"))
    series = _in_order(rows["series"])
    return (
        alt.Chart(rows)
        .mark_line(point={"size": 40}, strokeWidth=2)
        .encode(
            x=alt.X(
                "group:O",
                title="Repeat purchases before the holdout",
                sort=alt.EncodingSortField("repeats"),
                axis=alt.Axis(labelAngle=0),
            ),
            y=alt.Y("purchases:Q", title="Purchases in the holdout, mean"),
            color=_colour(series),
            tooltip=[
                "series:N",
                "group:O",
                alt.Tooltip("purchases:Q", format=".3f"),
                "customers:Q",
            ],
        )
        .properties(width=_WIDTH, height=_HEIGHT, title="Purchases by repeat purchases before")
    )


def plot_tracking(tracked: pd.DataFrame, origin: date, *, cumulative: bool) -> alt.LayerChart:
    """Repeat purchases by week, all so far or of the week; the rule is the origin. In: `curves.track_purchases`."""
    prefix = "cumulative_" if cumulative else ""
    columns = {f"{prefix}{name}": name for name in (ACTUAL, PREDICTED)}
    rows = tracked[["week_on", *columns]].rename(columns=columns)
    rows = rows.melt(id_vars=["week_on"], var_name="series")
    lines = (
        alt.Chart(rows)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("week_on:T", title="Week until"),
            y=alt.Y("value:Q", title="Repeat purchases" + (" so far" if cumulative else " a week")),
            color=_colour([ACTUAL, PREDICTED]),
        )
    )
    rule = (
        alt.Chart(pd.DataFrame({"origin": [pd.Timestamp(origin)]}))
        .mark_rule(color=_GREY, strokeDash=[4, 4])
        .encode(x="origin:T")
    )
    title = "Cumulative repeat purchases" if cumulative else "Repeat purchases a week"
    return (rule + lines).properties(width=_WIDTH, height=_HEIGHT, title=title)


def plot_deciles(deciles: pd.DataFrame, outcome: str) -> alt.Chart:
    """Mean predicted beside mean actual of each decile. In: ``decile, mean_predicted, mean_actual``."""
    names = {"mean_actual": ACTUAL, "mean_predicted": PREDICTED}
    rows = deciles[["decile", *names]].rename(columns=names)
    rows = rows.melt(id_vars=["decile"], var_name="series")
    return (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("decile:O", title="Decile (1: predicted highest)", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("series:N", sort=[ACTUAL, PREDICTED]),
            y=alt.Y("value:Q", title=f"Mean {outcome} of a customer in the holdout"),
            color=_colour([ACTUAL, PREDICTED]),
        )
        .properties(width=_WIDTH, height=_HEIGHT, title=f"Deciles by predicted {outcome}")
    )


def plot_alive(grid: pd.DataFrame) -> alt.Chart:
    """Heat map of P(alive) by frequency and recency. In: `curves.grid_alive`."""
    weeks = sorted(set(grid["last_purchase_week"]))
    return (
        alt.Chart(grid)
        .mark_rect()
        .encode(
            x=alt.X(
                "last_purchase_week:O",
                title="Last purchase, weeks after the first",
                axis=alt.Axis(labelAngle=0, ticks=False, values=weeks[::5]),
            ),
            y=alt.Y("repeats:O", title="Repeat purchases", sort="descending"),
            color=alt.Color(
                "p_alive:Q",
                title="P(alive)",
                scale=alt.Scale(domain=[0, 1], scheme="viridis"),
            ),
            tooltip=[
                "repeats:O",
                alt.Tooltip("last_purchase_week:Q", format=".0f"),
                alt.Tooltip("p_alive:Q", format=".2f"),
            ],
        )
        .properties(width=_WIDTH, height=_HEIGHT, title="P(alive)")
    )


def _in_order(series: pd.Series[str]) -> list[str]:
    """What was actual first, then the models by name."""
    return [ACTUAL, *sorted(set(series) - {ACTUAL})]


def _colour(series: list[str]) -> alt.Color:
    scale = alt.Scale(domain=series, range=list(_COLOURS[: len(series)]))
    return alt.Color("series:N", title=None, scale=scale, legend=alt.Legend(orient="top"))
