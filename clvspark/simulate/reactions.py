"""How people of a simulation react to being told: landing files of later days, with the true effect beside them.

Only who was in treatment reacts, by one more purchase with a known probability. Everything else that they and the
holdout do stays as it was, so the true effect of acting is known to the cent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.simulate.draws import Draws
from clvspark.simulate.files import DropFolder
from clvspark.simulate.landing import ISO, PLAIN

PURCHASE_SHARE: Final = 0.35
"""Probability that somebody in treatment who has a loyalty card buys once more."""
_OPEN_SHARE, _CLICK_SHARE = 0.4, 0.25
_FIRST_DAY, _DAYS = 2, 60
_PRODUCT: Final = "P0016"
_CENTS, _MOST = 949, 5
TRUTH = "reactions.json"


@dataclass(frozen=True)
class Reactions:
    """Rows of the landing files, and what each person was made to buy (``person_id, cents``)."""

    sales: DataFrame
    messages: DataFrame
    bought: DataFrame


def simulate_reactions(
    treated: DataFrame, links: DataFrame, draws: Draws, *, as_of: date
) -> Reactions:
    """What the persons in treatment do in the two months after `as_of`.

    In: ``person_id``; current links of the ledger. Sales as till/sales_*.csv has them, messages as email/events.jsonl.
    """
    told = treated.select("person_id").distinct()
    keyed = links.join(told, on="person_id")
    cards = _one_record(keyed, "loyalty").withColumn("_card", F.col("source_record_id"))
    contacts = _one_record(keyed, "crm")
    card, contact = F.col("_card"), F.col("source_record_id")
    buyers = cards.where(draws.chance(PURCHASE_SHARE, "reacts", card)).select(
        "person_id",
        F.concat(F.lit("R"), draws.hex_id("reaction", card)).alias("receipt_no"),
        F.lit(1).alias("line_no"),
        F.lit("S01").alias("store_id"),
        F.date_format(_instant(draws, "buys", card, as_of), PLAIN).alias("sold_at"),
        card.alias("loyalty_card"),
        F.lit(_PRODUCT).alias("product_id"),
        (draws.integer(_MOST, "how many", card) + 1).alias("quantity"),
    )
    cents = F.col("quantity") * _CENTS
    amount = (cents.cast("decimal(14,2)") / 100).cast("decimal(12,2)").alias("amount")
    opened = draws.chance(_OPEN_SHARE, "opens reaction", contact)
    clicked = opened & draws.chance(_CLICK_SHARE, "clicks reaction", contact)
    read = _instant(draws, "reads", contact, as_of)
    kinds = F.filter(
        F.array(
            F.struct(F.lit("opened").alias("type"), opened.alias("happens"), read.alias("at")),
            F.struct(
                F.lit("clicked").alias("type"),
                clicked.alias("happens"),
                (read + F.expr("INTERVAL 40 SECONDS")).alias("at"),
            ),
        ),
        lambda one: one["happens"],
    )
    messages = contacts.select(contact.alias("contact_id"), F.explode(kinds).alias("_one")).select(
        F.concat(
            F.lit("E"), draws.hex_id("reaction", F.col("contact_id"), F.col("_one.type"))
        ).alias("event_id"),
        F.lit(None).cast("string").alias("campaign_id"),
        "contact_id",
        F.col("_one.type").alias("type"),
        F.date_format("_one.at", ISO).alias("occurred_at"),
    )
    return Reactions(
        buyers.drop("person_id").select("*", amount),
        messages,
        buyers.select("person_id", cents.alias("cents")),
    )


def write_reactions(
    reactions: Reactions, assigned: DataFrame, landing: Path, truth: Path
) -> list[dict[str, Any]]:
    """Write the landing files, and the true effect on each list into the truth; return the latter.

    In: ``audience_id, person_id`` of the treatment. One row a list: persons, extra purchases, extra revenue.
    """
    files = DropFolder(landing, parts=1)
    files.write(reactions.sales, "till/sales_reactions.csv", order=("receipt_no",))
    files.write(reactions.messages, "email/events_reactions.jsonl", order=("event_id",))
    effects = (
        assigned.select("audience_id", "person_id")
        .distinct()
        .join(reactions.bought, on="person_id", how="left")
        .groupBy("audience_id")
        .agg(
            F.count(F.lit(1)).alias("persons"),
            F.count("cents").alias("extra_purchases"),
            F.coalesce(F.sum("cents"), F.lit(0)).alias("cents"),
        )
        .orderBy("audience_id")
    )
    told = [
        {
            "audience_id": row["audience_id"],
            "persons": row["persons"],
            "extra_purchases": row["extra_purchases"],
            "extra_revenue": row["cents"] / 100,
        }
        for row in effects.collect()
    ]
    (truth / TRUTH).write_text(json.dumps(told, indent=1), encoding="utf-8")
    return told


def _one_record(links: DataFrame, system: str) -> DataFrame:
    """One record of the system for each person who has any."""
    own = links.where(F.col("source_system") == system).groupBy("person_id")
    return own.agg(F.min("source_record_id").alias("source_record_id"))


def _instant(draws: Draws, purpose: str, key: Column, as_of: date) -> Column:
    day = F.date_add(F.lit(as_of), draws.integer(_DAYS, f"{purpose} on", key) + _FIRST_DAY)
    second = 10 * 3600 + draws.integer(7 * 3600, f"{purpose} at", key)
    return F.timestamp_seconds(F.unix_date(day).cast("long") * 86_400 + second)
