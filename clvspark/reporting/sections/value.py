"""What customers are worth: deciles, what came true, concentration, lifecycle stages."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from clvspark.reporting.blocks import Block, Chart, Grid, Note, Section
from clvspark.reporting.charts import draw_bars, draw_concentration, draw_shares_by_decile
from clvspark.reporting.figures import Figures, Rows
from clvspark.reporting.formats import decimal, percent, ratio, total, whole

_STAGES = ("new", "growing", "core", "slipping", "lapsed", "prospect")
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
    lead = (
        "Customers ranked by lifetime value and cut into tenths; decile 1 is the best. "
        "Predicted value and realised "
        "revenue are different things: they stand side by side and are never added."
    )
    deciles = figures.deciles_of("clv")
    if not deciles:
        return Section(
            "value",
            "Customer value",
            lead,
            [Note(f"Nobody is ranked by CLV as of {figures.as_of} yet.")],
        )
    blocks: list[Block] = [_decile_grid(figures, deciles), _prediction_chart(figures)]
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
    data = [{"name": r["lifecycle_stage"], "value": r["customer_equity"]} for r in stages]
    spec = draw_bars(data, unit=f"Expected residual value ({unit})", description=title)
    hint = "A long bar at 'slipping' or 'lapsed' is value that can still be lost, or won back."
    return Section("lifecycle", "Lifecycle", lead, [grid, Chart("lifecycle", title, hint, spec)])


def _decile_grid(figures: Figures, deciles: Rows) -> Grid:
    unit, days = figures.currency, figures.window_days
    sums = {
        name: total(deciles, name)
        for name in ("count_of_profiles", "value", "residual_value", "revenue_after")
    }
    weights = {
        name: ratio(
            sum(r["count_of_profiles"] * (r[name] or 0) for r in deciles), sums["count_of_profiles"]
        )
        for name in ("p_alive", "expected_purchases")
    }
    rows = [_decile_row(str(row["decile"]), row, sums["value"]) for row in deciles]
    rows.append(_decile_row("total", {**sums, **weights}, sums["value"]))
    columns = [
        "Decile",
        "Persons",
        f"CLV a person ({unit})",
        f"CLV ({unit})",
        "Share of CLV",
        "P(alive)",
        "Expected purchases",
        f"Residual value ({unit})",
        f"Revenue in {days} days after ({unit})",
        f"… a person ({unit})",
    ]
    horizon = (
        f"of the coming {figures.horizon_days} days" if figures.horizon_days else "of the horizon"
    )
    kind = figures.value_kind
    caution = "" if kind == "revenue" else f" (not {kind})"
    hint = (
        f"CLV is historical plus residual {kind}. P(alive) and expected purchases are means; "
        f"expected purchases and residual value are those {horizon}. The last columns are the "
        f"net revenue{caution} that these persons really brought within {days} days "
        f"from {figures.as_of} on."
    )
    return Grid("Deciles of customer lifetime value", columns, rows, hint=hint, has_total=True)


def _decile_row(name: str, row: dict[str, Any], whole_value: float) -> list[str]:
    count = row["count_of_profiles"]
    return [
        name,
        whole(count),
        decimal(ratio(row["value"], count)),
        whole(row["value"]),
        percent(ratio(row["value"], whole_value)),
        percent(row["p_alive"]),
        decimal(row["expected_purchases"]),
        whole(row["residual_value"]),
        whole(row["revenue_after"]),
        decimal(ratio(row["revenue_after"], count)),
    ]


def _prediction_chart(figures: Figures) -> Block:
    """Shares by decile: predicted for the horizon, and come true in the window."""
    deciles = figures.deciles_of("residual_value") or figures.deciles_of("clv")
    came = total(deciles, "revenue_after")
    if not came:
        return Note(
            f"No revenue of the {figures.window_days} days from {figures.as_of} on is known "
            "yet, so there is nothing "
            "to compare the prediction with."
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
