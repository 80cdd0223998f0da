"""What customers are worth: deciles, what came true, concentration, lifecycle stages."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from clvspark.reporting.blocks import Block, Chart, Grid, Note, Section
from clvspark.reporting.charts import draw_bars, draw_concentration, draw_shares_by_decile
from clvspark.reporting.figures import Figures, Rows
from clvspark.reporting.formats import decimal, percent, ratio, total, whole

_STAGES = ("new", "growing", "core", "slipping", "lapsed", "unvalued", "prospect")
_LOOK_BACKS = {
    "clv": "lifetime value: past and expected",
    "residual_value": "expected residual value",
    "revenue_all": "revenue of all time",
    "revenue_month_12": "revenue of the last 12 months",
    "revenue_month_9": "revenue of the last 9 months",
    "revenue_month_6": "revenue of the last 6 months",
    "revenue_month_3": "revenue of the last 3 months",
    "revenue_month_1": "revenue of the last month",
}


def describe_value(figures: Figures) -> Section:
    """Deciles of CLV with what came true beside them."""
    kind = figures.value_kind
    lead = (
        f"Customers ranked by lifetime value and cut into tenths; decile 1 is the best. CLV is historical {kind} plus "
        f"expected residual {kind}; both are shown beside their sum. What came in after {figures.as_of} came true "
        "and is no part of CLV: it stands beside the prediction and is never added to it."
    )
    deciles = figures.deciles_of("clv")
    told = [Note(f"{text[:1].upper()}{text[1:]}") for text in figures.warnings("fit", "score")]
    if not deciles:
        nobody = Note(f"Nobody is ranked by CLV as of {figures.as_of} yet.")
        return Section("value", "Customer value", lead, [nobody, *told])
    blocks: list[Block] = [*told, _decile_grid(figures, deciles), _prediction_chart(figures)]
    return Section("value", "Customer value", lead, [*blocks, *_concentration(figures)])


def describe_lifecycle(figures: Figures) -> Section:
    """Persons and value by stage of the relationship."""
    lead = "Where persons stand in their relationship, and where the expected value lies."
    by_stage = {row["lifecycle_stage"]: row for row in figures.profile}
    stages = [
        by_stage[name]
        for name in (*_STAGES, *sorted(set(by_stage) - set(_STAGES)))
        if name in by_stage
    ]
    if not stages:
        return Section(
            "lifecycle", "Lifecycle", lead, [Note(f"No person is known as of {figures.as_of} yet.")]
        )
    names = ("count_of_profiles", "records", "historical_value", "customer_equity")
    rows = [
        [
            row["lifecycle_stage"],
            *(whole(row[n]) for n in names),
            decimal(ratio(row["customer_equity"], row["count_of_profiles"])),
        ]
        for row in stages
    ]
    sums = {name: total(stages, name) for name in names}
    rows.append(
        [
            "total",
            *(whole(sums[n]) for n in names),
            decimal(ratio(sums["customer_equity"], sums["count_of_profiles"])),
        ]
    )
    unit = figures.currency
    columns = [
        "Stage",
        "Persons",
        "Records",
        f"Historical value ({unit})",
        f"Customer equity ({unit})",
        f"Equity a person ({unit})",
    ]
    grid = Grid("Persons and value by lifecycle stage", columns, rows, has_total=True)
    title = "Customer equity by lifecycle stage"
    data = [
        {"name": r["lifecycle_stage"], "value": r["customer_equity"]}
        for r in stages
        if r["customer_equity"] is not None
    ]
    spec = draw_bars(data, unit=f"Expected residual value ({unit})", description=title)
    hint = "A long bar at 'slipping' or 'lapsed' is value that can still be lost, or won back."
    return Section("lifecycle", "Lifecycle", lead, [grid, Chart("lifecycle", title, hint, spec)])


def _decile_grid(figures: Figures, deciles: Rows) -> Grid:
    unit, days, kind = figures.currency, figures.window_days, figures.value_kind
    added = ("count_of_profiles", "value", "historical_value", "residual_value", "revenue_after")
    sums: dict[str, float | None] = {name: total(deciles, name) for name in added}
    if not figures.is_window_over:
        sums["revenue_after"] = None
    persons = total(deciles, "count_of_profiles")
    means = {
        name: ratio(sum(r["count_of_profiles"] * (r[name] or 0) for r in deciles), persons)
        for name in ("p_alive", "expected_purchases")
    }
    whole_value = total(deciles, "value")
    rows = [_decile_row(str(row["decile"]), row, whole_value) for row in deciles]
    rows.append(_decile_row("total", {**sums, **means}, whole_value))
    columns = [
        "Decile",
        "Persons",
        f"Historical {kind} ({unit})",
        f"Residual {kind} ({unit})",
        f"CLV: their sum ({unit})",
        "Share of CLV",
        f"CLV a person ({unit})",
        "P(alive)",
        "Expected purchases",
        f"Revenue in {days} days after ({unit})",
        f"… a person ({unit})",
    ]
    horizon = f"the coming {figures.horizon_days} days" if figures.horizon_days else "the horizon"
    caution = "" if kind == "revenue" else f" (revenue, not {kind})"
    came = (
        f"The last columns are the net revenue that these persons really brought within {days} days from "
        f"{figures.as_of} on{caution}."
        if figures.is_window_over
        else f"The last columns are not yet observed: {figures.window_so_far}."
    )
    hint = (
        f"Residual {kind} is what is expected of {horizon}, discounted. P(alive) and expected purchases (of the same "
        f"days) are means a person. {came}"
    )
    return Grid("Deciles of customer lifetime value", columns, rows, hint=hint, has_total=True)


def _decile_row(name: str, row: dict[str, Any], whole_value: float) -> list[str]:
    count = row["count_of_profiles"]
    return [
        name,
        whole(count),
        whole(row["historical_value"]),
        whole(row["residual_value"]),
        whole(row["value"]),
        percent(ratio(row["value"], whole_value)),
        decimal(ratio(row["value"], count)),
        percent(row["p_alive"]),
        decimal(row["expected_purchases"]),
        whole(row["revenue_after"]),
        decimal(ratio(row["revenue_after"], count)),
    ]


def _prediction_chart(figures: Figures) -> Block:
    """Shares by decile: predicted for the horizon, and come true in the window."""
    deciles = figures.deciles_of("residual_value") or figures.deciles_of("clv")
    if not figures.is_window_over:
        return Note(
            f"What came true is not yet observed ({figures.window_so_far}), so there is nothing to compare the "
            "prediction with."
        )
    if not total(deciles, "revenue_after"):
        return Note(
            f"In the {figures.window_days} days from {figures.as_of} on nobody who is ranked brought any revenue."
        )
    predicted, actual = (
        f"predicted: residual value, next {figures.horizon_days or '?'} days",
        f"came true: net revenue, {figures.window_days} days after",
    )
    data = [
        {
            "decile": row["decile"],
            "series": series,
            "share": ratio(row[name], total(deciles, name)),
            "amount": row[name],
        }
        for row in deciles
        for series, name in ((predicted, "residual_value"), (actual, "revenue_after"))
    ]
    title = "Predicted residual value against the revenue that came in, by decile of the prediction"
    hint = (
        "Where both bars of a decile are equally tall, the model put value where it really "
        "came in; shares are "
        "compared because horizon and window differ in length."
    )
    return Chart("predicted", title, hint, draw_shares_by_decile(data, [predicted, actual], title))


def _concentration(figures: Figures) -> list[Block]:
    curves = {
        "revenue so far, by revenue so far": ("revenue_all", "value"),
        "residual value, by prediction": ("residual_value", "residual_value"),
        f"revenue {figures.window_days} days after, by prediction": (
            "residual_value",
            "revenue_after",
        ),
    }
    drawn = {
        name: _cumulate(figures.deciles_of(metric), column)
        for name, (metric, column) in curves.items()
    }
    drawn = {name: points for name, points in drawn.items() if points}
    grid = _metric_grid(figures)
    if not drawn:
        return [grid]
    title = "Revenue concentration: how much of the total the best customers bring"
    hint = (
        "At 20 % of persons, read how much the best two deciles bring; the dashed line is "
        "everybody alike."
    )
    data = [{"series": name, **point} for name, points in drawn.items() for point in points]
    return [Chart("concentration", title, hint, draw_concentration(data, list(drawn), title)), grid]


def _cumulate(deciles: Rows, column: str) -> Rows:
    """Points from 0 to 1 of cumulative persons and value; none where there is no value."""
    persons, value = total(deciles, "count_of_profiles"), total(deciles, column)
    if not persons or not value:
        return []
    sums = zip(
        accumulate((row["count_of_profiles"] for row in deciles), initial=0),
        accumulate((row[column] or 0 for row in deciles), initial=0.0),
        strict=True,
    )
    return [{"persons": people / persons, "value": amount / value} for people, amount in sums]


def _metric_grid(figures: Figures) -> Grid:
    rows = []
    for metric in [
        *_LOOK_BACKS,
        *sorted({r["metric"] for r in figures.deciles} - set(_LOOK_BACKS)),
    ]:
        deciles = figures.deciles_of(metric)
        if deciles:
            value, by_decile = total(deciles, "value"), {r["decile"]: r for r in deciles}
            top = [by_decile[n] for n in (1, 2) if n in by_decile]
            rows.append(
                [
                    _LOOK_BACKS.get(metric, metric),
                    whole(total(deciles, "count_of_profiles")),
                    whole(value),
                    percent(ratio(total(top[:1], "value"), value)),
                    percent(ratio(total(top, "value"), value)),
                    decimal(top[0]["min_value"]) if top else "",
                ]
            )
    unit = figures.currency
    columns = [
        "Ranked by",
        "Persons",
        f"Total ({unit})",
        "Decile 1 holds",
        "Deciles 1 and 2 hold",
        f"Entry to decile 1 ({unit})",
    ]
    return Grid("What the best deciles hold, by metric", columns, rows)
