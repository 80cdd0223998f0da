"""The counter of contacts: one over decisions and moments, whoever called for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.decisions.config import FrequencyCap
from clvspark.audiences.decisions.offers import Offer
from clvspark.identity.tables import resolve_aliases


def gather_contacts(decisions: DataFrame, steps: DataFrame) -> DataFrame:
    """Every contact that was called for: ``person_id, channel, contacted_on, offer_id``.

    In: audiences.decision; audiences.journey_step. `offer_id` is NULL of a step, whose journey is its own limit.
    """
    offered = decisions.where("channel IS NOT NULL").select(
        "person_id", "channel", F.col("as_of_date").alias("contacted_on"), "offer_id"
    )
    sent = steps.where("status = 'sent'").select(
        "person_id", "channel", "contacted_on", F.lit(None).cast("string").alias("offer_id")
    )
    return offered.unionByName(sent)


def count_contacts(
    contacts: DataFrame,
    aliases: DataFrame,
    caps: Sequence[FrequencyCap],
    offers: Sequence[Offer] = (),
    *,
    as_of: date,
) -> DataFrame:
    """Contacts of each person that count for a cap or for the limit of an offer on a date.

    In: `gather_contacts`; identity.alias, as who has absorbed somebody has been contacted as often as both. Out: one
    row a person who was contacted, ``person_id`` and an int column for each cap and offer, see `cap_column` and
    `offer_column`. What is in `contacts` of the date itself counts as well.
    """
    days = {cap_column(number): cap.within_days for number, cap in enumerate(caps)}
    days |= {offer_column(offer): offer.limit.within_days for offer in offers}
    recent = contacts.where(_within(max(days.values(), default=1), as_of))
    counted = {
        cap_column(number): _within(cap.within_days, as_of) & _is_on(cap)
        for number, cap in enumerate(caps)
    }
    for offer in offers:
        made = F.col("offer_id") == offer.id
        counted[offer_column(offer)] = made & _within(offer.limit.within_days, as_of)
    sums = [F.count_if(condition).cast("int").alias(name) for name, condition in counted.items()]
    persons = resolve_aliases(recent, aliases).groupBy("person_id")
    return persons.agg(F.count(F.lit(1)).alias("contacts"), *sums).drop("contacts")


def is_free(channel: str, caps: Sequence[FrequencyCap]) -> Column:
    """Whether no cap forbids one more contact on a channel; NULL counts, of a row without them, mean none."""
    counts = [
        F.coalesce(cap_column(number), F.lit(0)) < cap.contacts
        for number, cap in enumerate(caps)
        if cap.channel in (None, channel)
    ]
    return reduce(Column.__and__, counts, F.lit(True))


def cap_column(number: int) -> str:
    """Column that counts for the cap of this number."""
    return f"contacts_of_cap_{number}"


def offer_column(offer: Offer) -> str:
    """Column that counts how often the offer was made of late."""
    return f"contacts_of_{offer.id}"


def _is_on(cap: FrequencyCap) -> Column:
    return F.lit(True) if cap.channel is None else F.col("channel") == cap.channel


def _within(days: int, as_of: date) -> Column:
    day = F.col("contacted_on")
    return (day <= F.lit(as_of)) & (day > F.date_sub(F.lit(as_of), days))
