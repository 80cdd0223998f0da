"""What came of the campaigns: responses by decile, campaign and audience."""

from __future__ import annotations

from clvspark.reporting.blocks import Block, Chart, Grid, Note, Section
from clvspark.reporting.charts import draw_rates
from clvspark.reporting.figures import Figures, Rows
from clvspark.reporting.formats import percent, ratio, total, whole
from clvspark.reporting.sections.action import audience_names

_KINDS = ("opened", "clicked", "redeemed")
_MOST_CAMPAIGNS = 12


def describe_responses(figures: Figures) -> Section:
    """Contacts and responses in the window after the date."""
    lead = (
        f"What persons did with campaigns in the {figures.window_days} days from {figures.as_of} on. A person counts "
        "once for a campaign and kind of response; rates are of those whom the campaign contacted."
    )
    if not figures.is_window_over:
        lead += f" Not all of it is observed: {figures.window_so_far}."
    contacted = total(figures.responses, "contacted")
    if not contacted and not total(figures.responses, "responded_not_contacted"):
        sentence = "No campaign contacted anybody in this window, and nobody responded to one."
        if not figures.days_observed:
            sentence = f"Responses are not yet observed: {figures.window_so_far}."
        return Section("responses", "Responses", lead, [Note(sentence)])
    deciles = sorted({row["clv_decile"] for row in figures.responses}, key=lambda d: (d == 0, d))
    by_decile = {d: [row for row in figures.responses if row["clv_decile"] == d] for d in deciles}
    rows = [_response_row("not ranked" if d == 0 else str(d), by_decile[d]) for d in deciles]
    rows.append(_response_row("total", figures.responses))
    columns = ["Decile of CLV", "Contacted"]
    columns += [title for kind in _KINDS for title in (kind.capitalize(), "Rate")]
    columns.append("Responded, not contacted")
    hint = (
        "The last column is apart: persons who opened, clicked or redeemed without having been contacted in the "
        "window, because the message came before it, was passed on, or was not recorded."
    )
    grid = Grid("Responses by decile", columns, rows, has_total=True, hint=hint)
    blocks: list[Block] = [
        grid,
        *_rate_chart(by_decile),
        _campaign_grid(figures.responses, columns[1:]),
        *_audience_grid(figures, columns[1:]),
    ]
    return Section("responses", "Responses", lead, blocks)


def _response_row(name: str, rows: Rows) -> list[str]:
    contacted = total(rows, "contacted")
    cells = [name, whole(contacted)]
    for kind in _KINDS:
        count = total(rows, kind)
        cells += [whole(count), percent(ratio(count, contacted))]
    return [*cells, whole(total(rows, "responded_not_contacted"))]


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


def _audience_grid(figures: Figures, columns: list[str]) -> list[Grid]:
    found, names = figures.responses_by_audience, audience_names(figures)
    by_id = {i: [row for row in found if row["audience_id"] == i] for i in names}
    rows = [_response_row(names[i], by_id[i]) for i in by_id if by_id[i]]
    if not rows:
        return []
    hint = (
        f"Of those who were in the audience on {figures.as_of}, over all campaigns. Who was in two counts in both, and "
        "who was in none in no row, so the rows do not add up to the total above."
    )
    return [Grid("Responses by audience", ["Audience", *columns], rows, hint=hint)]


def _campaign_grid(responses: Rows, columns: list[str]) -> Grid:
    names = {row["campaign_id"]: row["name"] or row["campaign_id"] for row in responses}
    by_id = {i: [row for row in responses if row["campaign_id"] == i] for i in names}
    largest = sorted(by_id, key=lambda i: (-total(by_id[i], "contacted"), i))
    rows = [_response_row(names[i], by_id[i]) for i in largest[:_MOST_CAMPAIGNS]]
    left_out = len(largest) - len(rows)
    hint = f"The {left_out} smaller campaigns are in reporting.fact_response." if left_out else ""
    return Grid("Responses by campaign", ["Campaign", *columns], rows, hint=hint)
