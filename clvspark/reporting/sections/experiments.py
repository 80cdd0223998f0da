"""What acting was worth: treatment against holdout."""

from __future__ import annotations

from typing import Any

from clvspark.reporting.blocks import Block, Chart, Grid, Note, Section
from clvspark.reporting.charts import draw_intervals
from clvspark.reporting.figures import Figures, Rows
from clvspark.reporting.formats import UNKNOWN, decimal, whole
from clvspark.reporting.sections.action import audience_names

_ID, _TITLE = "experiments", "Treatment against holdout"
# Effects that are shown with their interval, and the digits after the point.
_EFFECTS = {
    "extra_visits": 0,
    "extra_revenue": 0,
    "extra_margin_net_of_cost": 0,
    "extra_clv_per_person": 2,
}


def describe_experiments(figures: Figures) -> Section:
    """Treatment against holdout, by intention to treat."""
    lead = (
        f"Everybody who could be addressed for an audience on {figures.as_of} (with consent and an address) was in "
        "treatment or in the holdout before anything was sent. The difference between the groups is what acting on "
        "the audience was worth. It is realised incremental margin, and is never added to predicted CLV."
    )
    if not figures.experiments:
        sentence = (
            f"No audience was sent anywhere on {figures.as_of}, so there is nothing to compare."
        )
        return Section(_ID, _TITLE, lead, [Note(sentence)])
    names = audience_names(figures)
    measured = [row for row in figures.experiments if row["status"] == "measured"]
    blocks: list[Block] = [Note(_verdict(figures, measured)), _worth_grid(figures, names)]
    if measured:
        blocks.append(_effect_grid(figures, names))
        blocks += [
            *_interval_chart(figures, measured, names),
            _group_grid(figures, measured, names),
        ]
    return Section(_ID, _TITLE, lead, blocks)


def _verdict(figures: Figures, measured: Rows) -> str:
    if not figures.is_window_over:
        return f"Not yet observed: {figures.window_so_far}. Before its end nothing is measured, and nothing is zero."
    margins = [row for row in measured if row["outcome"] == "margin"]
    if not margins:
        return (
            "No audience has a treatment and a holdout group that are large enough to be compared."
        )
    found, count = sum(row["is_significant"] for row in margins), len(margins)
    audiences = f"{count} audience{'s' if count > 1 else ''}"
    if not found:
        return (
            f"No difference in margin is significant among {audiences} compared. Zero is not proven by that: the "
            "intervals say how large a gain or loss these groups leave possible."
        )
    return (
        f"The difference in margin is significant for {found} of {audiences} compared, after correction for "
        "comparing all of them."
    )


def _effect_grid(figures: Figures, names: dict[str, str]) -> Grid:
    """What acting brought, in the order in which it is asked for: people, visits, revenue, predicted value."""
    by_audience: dict[str, dict[str, dict[str, Any]]] = {}
    for row in figures.effects:
        if row["status"] == "measured":
            by_audience.setdefault(row["audience_id"], {})[row["effect"]] = row
    rows = [
        [
            names.get(audience, audience),
            way,
            whole(effects["people"]["value"]),
            *(_effect(effects.get(name), prefix, digits) for name, digits in _EFFECTS.items()),
        ]
        for audience, effects in by_audience.items()
        if len(effects) > 1
        for way, prefix in (("difference of means", ""), ("CUPED", "cuped_"))
    ]
    unit = figures.currency
    columns = [
        "Audience",
        "Estimate",
        "People",
        "Extra visits",
        f"Extra revenue ({unit})",
        f"Extra margin less costs ({unit})",
        f"Extra CLV a person ({unit})",
    ]
    hint = (
        f"Of the persons in treatment, in {figures.window_days} days; in brackets the 95 % interval. Visits, revenue "
        "and margin have come true; the extra CLV is predicted, with models that were fitted before anything was sent, "
        "and is never added to them. CUPED takes off what the predicted value before the assignment explains."
    )
    return Grid("What acting brought", columns, rows, left=2, hint=hint)


def _effect(row: dict[str, Any] | None, prefix: str, digits: int) -> str:
    """A value with its interval."""
    if row is None or row[f"{prefix}value"] is None:
        return UNKNOWN
    value, low, high = (
        decimal(row[f"{prefix}{part}"], digits) for part in ("value", "ci_low", "ci_high")
    )
    return f"{value} ({low} to {high})"


def _worth_grid(figures: Figures, names: dict[str, str]) -> Grid:
    """Realised incremental margin by audience, also where it is not known."""
    unit, days = figures.currency, figures.window_days
    rows = [
        [
            names.get(row["audience_id"], str(row["audience_id"])),
            whole(row["treatment_persons"]),
            whole(row["holdout_persons"]),
            whole(row["incremental_margin"]),
            _interval(row, 0),
            decimal(row["p_value"], 3),
            decimal(row["p_value_adjusted"], 3),
            _judgement(row),
        ]
        for row in figures.incremental
    ]
    columns = [
        "Audience",
        "Treatment persons",
        "Holdout persons",
        f"Incremental margin ({unit})",
        "95 % interval",
        "p",
        "p corrected",
        "Verdict",
    ]
    marked = frozenset(n for n, row in enumerate(figures.incremental) if row["is_significant"])
    hint = (
        f"The difference a person within {days} days, times the persons assigned to treatment. p is of a permutation "
        "test; corrected (Holm) for all audiences of the date, and the verdict follows from the corrected value."
    )
    return Grid("What acting was worth, by audience", columns, rows, hint=hint, marked=marked)


def _interval_chart(figures: Figures, measured: Rows, names: dict[str, str]) -> list[Block]:
    data = [
        {
            "name": names.get(row["audience_id"], str(row["audience_id"])),
            "series": "significant" if row["is_significant"] else "not significant",
            **{name: row[name] for name in ("difference", "ci_low", "ci_high")},
        }
        for row in measured
        if row["outcome"] == "margin" and None not in (row["ci_low"], row["ci_high"])
    ]
    if not data:
        return []
    title = "Margin a person: treatment minus holdout, with 95 % interval"
    hint = (
        "Right of the line: persons in treatment brought more. An interval that crosses the line proves nothing "
        "either way; one that does not may still not be significant once corrected for the number of audiences."
    )
    unit = f"Difference a person ({figures.currency})"
    return [Chart(_ID, title, hint, draw_intervals(data, unit=unit, description=title))]


def _group_grid(figures: Figures, measured: Rows, names: dict[str, str]) -> Grid:
    rows = [
        [
            names.get(row["audience_id"], str(row["audience_id"])),
            row["outcome"],
            whole(row["treatment_persons"]),
            whole(row["holdout_persons"]),
            decimal(row["treatment_mean"]),
            decimal(row["holdout_mean"]),
            decimal(row["difference"]),
            _interval(row, 2),
            decimal(row["p_value_adjusted"], 3),
            decimal(row["sample_ratio_p_value"], 3),
        ]
        for row in measured
    ]
    columns = [
        "Audience",
        "Outcome",
        "Treatment",
        "Holdout",
        "Treatment mean",
        "Holdout mean",
        "Difference",
        "95 % interval",
        "p corrected",
        "Sample ratio p",
    ]
    hint = (
        f"Means a person within {figures.window_days} days; margin and revenue in {figures.currency}. A small sample "
        "ratio p (below 0.001) would mean that the groups were not dealt as planned, and that their difference cannot "
        "be trusted."
    )
    marked = frozenset(n for n, row in enumerate(measured) if row["is_significant"])
    return Grid("Groups and their means", columns, rows, left=2, hint=hint, marked=marked)


def _judgement(row: dict[str, Any]) -> str:
    if row["status"] != "measured":
        return str(row["status"]).replace("_", " ")
    return "significant" if row["is_significant"] else "not significant"


def _interval(row: dict[str, float | None], digits: int) -> str:
    low, high = row["ci_low"], row["ci_high"]
    return (
        UNKNOWN
        if low is None or high is None
        else f"{decimal(low, digits)} to {decimal(high, digits)}"
    )
