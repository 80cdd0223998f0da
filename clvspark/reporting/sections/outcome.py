"""What came of it: responses by decile and campaign, and treatment against holdout."""

from __future__ import annotations

from typing import Any

from clvspark.reporting.blocks import Block, Chart, Grid, Note, Section
from clvspark.reporting.charts import draw_intervals, draw_rates
from clvspark.reporting.figures import Figures, Rows
from clvspark.reporting.formats import decimal, percent, ratio, total, whole
from clvspark.reporting.sections.action import audience_names

_KINDS = ("opened", "clicked", "redeemed")
_MOST_CAMPAIGNS = 12


def describe_responses(figures: Figures) -> Section:
    """Contacts and responses in the window after the date."""
    lead = (
        f"What persons did with campaigns in the {figures.window_days} days from "
        f"{figures.as_of} on. A person counts "
        "once for a campaign and kind of response."
    )
    contacted = total(figures.responses, "contacted")
    if not contacted and not any(total(figures.responses, kind) for kind in _KINDS):
        sentence = "No campaign contacted anybody in this window, and nobody responded to one."
        return Section("responses", "Responses", lead, [Note(sentence)])
    deciles = sorted({row["clv_decile"] for row in figures.responses}, key=lambda d: (d == 0, d))
    by_decile = {d: [row for row in figures.responses if row["clv_decile"] == d] for d in deciles}
    rows = [_response_row("not ranked" if d == 0 else str(d), by_decile[d]) for d in deciles]
    rows.append(_response_row("total", figures.responses))
    columns = ["Decile of CLV", "Contacted"]
    columns += [title for kind in _KINDS for title in (kind.capitalize(), "Rate")]
    grid = Grid("Responses by decile", columns, rows, has_total=True)
    blocks: list[Block] = [
        grid,
        *_rate_chart(by_decile),
        _campaign_grid(figures.responses, columns[1:]),
    ]
    return Section("responses", "Responses", lead, blocks)


def describe_experiments(figures: Figures) -> Section:
    """Treatment against holdout, by intention to treat."""
    lead = (
        "Everybody who qualified was dealt into treatment or holdout before anything was "
        "sent; the difference between "
        "the groups is what acting on the audience was worth."
    )
    if not figures.experiments:
        sentence = (
            "No audience has a treatment and a holdout group that are large enough to be compared."
        )
        return Section("experiments", "Treatment against holdout", lead, [Note(sentence)])
    names = audience_names(figures)
    rows = [
        [
            names.get(row["audience_id"], row["audience_id"]),
            row["outcome"],
            whole(row["treatment_persons"]),
            whole(row["holdout_persons"]),
            decimal(row["treatment_mean"]),
            decimal(row["holdout_mean"]),
            decimal(row["difference"]),
            f"{decimal(row['ci_low'])} to {decimal(row['ci_high'])}",
            decimal(row["sample_ratio_p_value"], 3),
        ]
        for row in figures.experiments
    ]
    days, unit = figures.experiments[0]["window_days"], figures.currency
    columns = [
        "Audience",
        "Outcome",
        "Treatment",
        "Holdout",
        "Treatment mean",
        "Holdout mean",
        "Difference",
        "95 % interval",
        "Sample ratio p",
    ]
    hint = (
        f"Means a person within {days} days; margin and revenue in {unit}. A small p (below "
        "0.001) would mean that the "
        "groups were not dealt as planned, and that their difference cannot be trusted."
    )
    marked = frozenset(
        number for number, row in enumerate(figures.experiments) if is_significant(row)
    )
    grid = Grid("Groups and their means", columns, rows, left=2, hint=hint, marked=marked)
    blocks: list[Block] = [
        Note(_verdict(figures.experiments)),
        *_interval_chart(figures, names),
        grid,
    ]
    return Section("experiments", "Treatment against holdout", lead, blocks)


def is_significant(row: dict[str, Any]) -> bool:
    """Whether the interval leaves out 0."""
    return bool(row["ci_low"] > 0 or row["ci_high"] < 0)


def _verdict(experiments: Rows) -> str:
    found, count = sum(map(is_significant, experiments)), len(experiments)
    if not found:
        return (
            f"None of the {count} differences is significant: every interval holds 0. Where "
            "nothing was really sent, "
            "as in the demo, that is what has to come out."
        )
    return (
        f"{found} of the {count} differences {'is' if found == 1 else 'are'} significant (the "
        "interval leaves out 0). "
        f"By chance alone about {count * 0.05:.1f} of {count} would be; in the demo nothing "
        "was really sent, so there "
        "any such difference is chance."
    )


def _interval_chart(figures: Figures, names: dict[str, str]) -> list[Block]:
    margins = [row for row in figures.experiments if row["outcome"] == "margin"]
    if not margins:
        return []
    data = [
        {
            "name": names.get(row["audience_id"], row["audience_id"]),
            "series": "significant" if is_significant(row) else "not significant",
            **{name: row[name] for name in ("difference", "ci_low", "ci_high")},
        }
        for row in margins
    ]
    title = "Margin a person: treatment minus holdout, with 95 % interval"
    hint = (
        "Right of the line: treated persons brought more. An interval that crosses the line "
        "proves nothing either way."
    )
    unit = f"Difference a person ({figures.currency})"
    return [Chart("experiments", title, hint, draw_intervals(data, unit=unit, description=title))]


def _response_row(name: str, rows: Rows) -> list[str]:
    contacted = total(rows, "contacted")
    cells = [name, whole(contacted)]
    for kind in _KINDS:
        count = total(rows, kind)
        cells += [whole(count), percent(ratio(count, contacted))]
    return cells


def _rate_chart(by_decile: dict[int, Rows]) -> list[Block]:
    data = [
        {
            "decile": decile,
            "series": kind,
            "rate": ratio(total(rows, kind), total(rows, "contacted")),
        }
        for decile, rows in by_decile.items()
        for kind in _KINDS
        if decile > 0 and total(rows, "contacted")
    ]
    if not data:
        return [Note("Nobody who is ranked by CLV was contacted, so there are no rates by decile.")]
    title = "Response rates by decile of CLV"
    hint = (
        "Lines that fall to the right say that better customers respond more; flat lines, "
        "that value says nothing about it."
    )
    return [Chart("responses", title, hint, draw_rates(data, list(_KINDS), title))]


def _campaign_grid(responses: Rows, columns: list[str]) -> Grid:
    names = {row["campaign_id"]: row["name"] or row["campaign_id"] for row in responses}
    by_id = {i: [row for row in responses if row["campaign_id"] == i] for i in names}
    largest = sorted(by_id, key=lambda i: (-total(by_id[i], "contacted"), i))
    rows = [_response_row(names[i], by_id[i]) for i in largest[:_MOST_CAMPAIGNS]]
    left_out = len(largest) - len(rows)
    hint = f"The {left_out} smaller campaigns are in reporting.fact_response." if left_out else ""
    return Grid("Responses by campaign", ["Campaign", *columns], rows, hint=hint)
