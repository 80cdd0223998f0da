"""The amounts of a line: what follows from what a system says, and whether it contradicts itself."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from clvspark.lakehouse.table import MONEY

# What a mapping may say of the amount of a line.
SAID = ("gross_revenue", "discount", "net_revenue")
CONTRADICTION = "contradictory_amounts"
_CENT = 0.01


def complete_amounts(said: Mapping[str, Column], net: Column | None = None) -> dict[str, Column]:
    """All amounts of a line, of those that its system says: columns by name, without those that are not known.

    ``net_revenue = gross_revenue - discount`` holds to the cent in what comes out. Where net revenue is said it
    stands, be the others a cent off by rounding; a missing discount is the difference, 0 where nothing else is said.
    Tax is no part of any of them, and 0 where it is not said. ``margin = net_revenue - cost``, whichever is said.
    `net`: net revenue where it is known already; by default that of `net_revenue_of`.
    """
    gross, discount, tax, cost, margin = (
        said.get(name, _unknown())
        for name in ("gross_revenue", "discount", "tax", "cost", "margin")
    )
    net = net_revenue_of(said) if net is None else net
    whole = F.coalesce(gross, net + F.coalesce(discount, F.lit(0)))
    # Of a net revenue that is said as well, the gross one may be a cent off; a difference holds always.
    known_cost = F.coalesce(cost, net - margin)
    made = {
        "gross_revenue": whole,
        "discount": whole - net,
        "tax": F.when(net.isNotNull(), F.coalesce(tax, F.lit(0))),
        "net_revenue": net,
        "cost": known_cost,
        "margin": net - known_cost,
        "original_net_revenue": net,
    }
    return {name: column.try_cast(MONEY) for name, column in made.items()}


def net_revenue_of(said: Mapping[str, Column]) -> Column:
    """Net revenue of a line: as it is said, else gross revenue less the discount; NULL where neither is."""
    gross, discount, net = (said.get(name, _unknown()) for name in SAID)
    return F.coalesce(net, gross - F.coalesce(discount, F.lit(0))).try_cast(MONEY)


def contradiction_of(
    said: Mapping[str, Column], without_tax: Mapping[str, Column] | None = None
) -> Column:
    """The reason of a line whose amounts differ by more than a cent from what they say of each other, else NULL.

    `without_tax`: the same without the tax that prices include; cost and margin never do.
    """
    sums = [
        (said, ("gross_revenue", "discount", "net_revenue")),
        (without_tax or said, ("net_revenue", "cost", "margin")),
    ]
    faults = [
        F.abs(of[names[0]] - of[names[1]] - of[names[2]]) > F.lit(_CENT).cast(MONEY)
        for of, names in sums
        if {*names} <= of.keys()
    ]
    reason = F.lit(None).cast("string")
    for fault in faults:
        reason = F.when(fault, F.lit(CONTRADICTION)).otherwise(reason)
    return reason


def _unknown() -> Column:
    return F.lit(None).cast(MONEY)
