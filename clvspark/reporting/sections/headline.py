"""The headline strip: the numbers that everybody asks for first."""

from __future__ import annotations

from clvspark.reporting.blocks import Tile
from clvspark.reporting.figures import Figures
from clvspark.reporting.formats import UNKNOWN, decimal, percent, ratio, total, whole


def build_tiles(figures: Figures) -> list[Tile]:
    """Persons, value so far and expected, and how much revenue nobody is known for."""
    persons, records = (
        total(figures.profile, "count_of_profiles"),
        total(figures.profile, "records"),
    )
    prospects = total(
        [r for r in figures.profile if r["lifecycle_stage"] == "prospect"], "count_of_profiles"
    )
    deciles = figures.deciles_of("clv")
    alive = sum(row["count_of_profiles"] * (row["p_alive"] or 0) for row in deciles)
    kind, days = figures.value_kind, figures.horizon_days
    horizon = f"next {days} days" if days else "horizon"
    revenue, unknown = (
        figures.metric("history", "revenue"),
        figures.metric("history", "revenue_anonymous"),
    )
    came = total(deciles, "revenue_after")
    return [
        Tile("Persons", whole(persons), f"{whole(persons - prospects)} of them have bought"),
        Tile("Records", whole(records), f"{decimal(ratio(records, persons))} records a person"),
        Tile(
            f"Historical value ({figures.currency})",
            _worth(figures, "historical_value"),
            f"{kind} of all purchases so far",
        ),
        Tile(
            f"Customer equity ({figures.currency})",
            _worth(figures, "customer_equity"),
            f"expected residual value: {kind} of the {horizon}, discounted",
        ),
        Tile(
            "Active customers",
            whole(alive) if deciles else UNKNOWN,
            "customers weighted by P(alive)",
        ),
        Tile(
            f"Came in since ({figures.currency})",
            whole(came) if deciles and figures.is_window_over else UNKNOWN,
            f"net revenue of ranked persons within {figures.window_days} days"
            if figures.is_window_over
            else f"not yet observed: {figures.window_so_far}",
        ),
        Tile(
            "Anonymous revenue",
            percent(ratio(unknown, revenue)),
            f"{figures.currency} {whole(unknown)} of {whole(revenue)} of all sales that landed",
        ),
    ]


def _worth(figures: Figures, name: str) -> str:
    """A sum of values; unknown where nobody has been valued who bought."""
    stages = {row["lifecycle_stage"] for row in figures.profile}
    if "unvalued" in stages and stages <= {"unvalued", "prospect"}:
        return UNKNOWN
    return whole(total(figures.profile, name))
