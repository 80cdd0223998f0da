"""Consent of a person by channel, from what their records said."""

from __future__ import annotations

from functools import reduce
from typing import Literal, get_args

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

Channel = Literal["email", "push", "sms"]
CHANNELS: list[str] = list(get_args(Channel))
ANY = "any"
MARKETING = "marketing"
# Events by which somebody refuses a channel of marketing.
REFUSALS: dict[str, Channel] = {
    "email_unsubscribed": "email",
    "push_unsubscribed": "push",
    "sms_unsubscribed": "sms",
}
# From the most to the least restrictive; the first that any record says holds for the person.
RESTRICTIVENESS = ("n", "p", "u", "y")
# Rank of a statement by `val`, from 1 of a no.
LENIENCY = f"array_position(array({', '.join(map(repr, RESTRICTIVENESS))}), val)"


def is_about(purpose: str) -> Column:
    """Whether a statement is about a purpose, however it is capitalised; NULL where it names none."""
    return F.lower(F.trim("purpose")) == purpose


def refused_channel() -> Column:
    """Channel that an event refuses, by its ``event_type``; NULL of an event that is no refusal."""
    return F.create_map(*(F.lit(part) for pair in REFUSALS.items() for part in pair))[
        F.col("event_type")
    ]


def gather_statements(
    consent: DataFrame, events: DataFrame, unread: DataFrame, *, purpose: str = MARKETING
) -> DataFrame:
    """What records said about being addressed: sources.consent, the refusals among the events, and what is unread.

    In: sources.consent; sources.event; sources.unread_consent. Who unsubscribes has refused marketing by that
    channel from that instant on, whether or not the system that sent it keeps consents as well. What could not be read
    is a refusal of whatever `purpose` is asked for. Out: ``source_system, source_record_id, channel, purpose, val,
    recorded_at``; a time of NULL is unknown.
    """
    refused = events.where(F.col("event_type").isin(*REFUSALS))
    refused = refused.where("source_record_id IS NOT NULL")
    refusals = refused.select(
        "source_system",
        "source_record_id",
        refused_channel().alias("channel"),
        F.lit(MARKETING).alias("purpose"),
        F.lit("n").alias("val"),
        F.col("occurred_at").alias("recorded_at"),
    )
    doubts = unread.withColumns({"purpose": F.lit(purpose), "val": F.lit("n")})
    parts = [consent, refusals, doubts]
    return reduce(DataFrame.unionByName, [part.select(*refusals.columns) for part in parts])


def resolve_consent(
    statements: DataFrame,
    links: DataFrame,
    *,
    purpose: str,
    until: Column,
    later_refusals: bool = False,
) -> DataFrame:
    """Consent of each person for each channel.

    In: rows of `gather_statements`; current links (source_system, source_record_id, person_id). Out: one row a person
    and channel that was ever spoken of, ``person_id, channel, val``. Within a record the newest statement before
    `until` counts, the more restrictive of two at the same instant; over the records of a person the most
    restrictive one. A statement of unknown time is newer than any. `later_refusals`: a no counts as soon as it is
    known, also one of a later day.
    """
    rank = F.expr(LENIENCY)
    is_timeless = F.col("recorded_at").isNull()
    counts = is_timeless | (F.col("recorded_at") < until)
    if later_refusals:
        counts |= F.col("val") == "n"
    made = statements.where(is_about(purpose) & counts)
    newest = made.groupBy("source_system", "source_record_id", "channel").agg(
        F.max_by(rank, F.struct(is_timeless, "recorded_at", -rank)).alias("rank")
    )
    people = links.select("source_system", "source_record_id", "person_id")
    strictest = (
        newest.join(people, on=["source_system", "source_record_id"], how="inner")
        .groupBy("person_id", "channel")
        .agg(F.min("rank").alias("rank"))
    )
    values = F.array(*(F.lit(val) for val in RESTRICTIVENESS))
    return strictest.select(
        "person_id", "channel", F.element_at(values, F.col("rank").cast("int")).alias("val")
    )


def consent_by_channel(consent: DataFrame, channels: list[str]) -> DataFrame:
    """One row a person: a boolean ``consent_<channel>`` for each channel.

    True needs a yes for the channel, or for any channel where the channel itself was never spoken of; a no to
    either overrules it. No statement is no consent.
    """
    wide = consent.groupBy("person_id").agg(
        *(
            F.max(F.when(F.col("channel") == name, F.col("val"))).alias(f"_{name}")
            for name in (ANY, *channels)
        )
    )
    columns = [_allowed(name).alias(f"consent_{name}") for name in channels]
    return wide.select("person_id", *columns)


def _allowed(channel: str) -> Column:
    specific, general = F.col(f"_{channel}"), F.col(f"_{ANY}")
    refused = (specific == "n") | (general == "n")
    return F.coalesce(F.coalesce(specific, general) == "y", F.lit(False)) & ~F.coalesce(
        refused, F.lit(False)
    )
