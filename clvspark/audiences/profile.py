"""The wide profile that rules are evaluated on: one row a person, one column for each thing a rule may ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import get_args

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.rules import Condition, Event, ValueName
from clvspark.history.tables import standing_purchases
from clvspark.privacy.identifiers import normalise_identifier

VALUE_COLUMNS = [*get_args(ValueName), "lifecycle_stage"]


@dataclass(frozen=True)
class Evidence:
    """The tables that profiles are made of.

    Parameters
    ----------
    consent : as `privacy.consent_by_channel` gives it.
    emails : as `privacy.judge_entries` gives it, of e-mail addresses.
    memberships : ``audience_id, person_id`` of who was in which audience on the day before.
    """

    persons: DataFrame
    values: DataFrame
    deciles: DataFrame
    consent: DataFrame
    emails: DataFrame
    surveys: DataFrame
    happenings: DataFrame
    memberships: DataFrame


def build_profiles(
    evidence: Evidence, conditions: Sequence[Condition], *, as_of: date
) -> DataFrame:
    """Profile of every person as of `as_of`.

    In: identity.person; clv.customer_value; audiences.decile; consent by channel, of persons and of addresses;
    survey responses with person_id; ``person_id, type, at`` of everything that happened; memberships of the day
    before. Out: one row a person; a column is NULL where nothing is known. `reach_email` says that the person and
    all who share the address may be written to.
    """
    now = F.col("as_of_date") == F.lit(as_of)
    values = evidence.values.where(now).select("person_id", *VALUE_COLUMNS)
    lists = F.collect_set("audience_id").alias("member_of")
    profiles = (
        evidence.persons.select(
            *("person_id", "given_name", "surname", "city", "postcode", "records"),
            normalise_identifier(F.col("email")).alias("_entry"),
        )
        .join(values, on="person_id", how="left")
        .join(_wide_deciles(evidence.deciles.where(now)), on="person_id", how="left")
        .join(evidence.consent, on="person_id", how="left")
        .join(_allowed_emails(evidence.emails), on="_entry", how="left")
        .withColumn(
            "reach_email", F.coalesce(F.col("consent_email") & F.col("_allowed"), F.lit(False))
        )
        .drop("_entry", "_allowed")
        .join(_newest_survey(evidence.surveys, as_of), on="person_id", how="left")
        .join(evidence.memberships.groupBy("person_id").agg(lists), on="person_id", how="left")
    )
    events = sorted({event_column(c) for c in conditions if isinstance(c, Event)})
    if events:
        wanted = {event_column(c): c for c in conditions if isinstance(c, Event)}
        counts = _count_events(evidence.happenings, wanted, as_of)
        profiles = profiles.join(counts, on="person_id", how="left").fillna(0, subset=events)
    return profiles


def list_sales(orders: DataFrame, *, as_of: date) -> DataFrame:
    """Orders of persons that stand on a date, and refunds until then: ``person_id, type, at``.

    In: history.order. An order that was cancelled is none, and neither its cancellation nor an adjustment is a refund.
    """
    known = orders.where("person_id IS NOT NULL")
    known = known.where(F.col("ordered_at") < F.lit(as_of).cast("timestamp"))
    at = F.col("ordered_at").alias("at")
    bought = standing_purchases(known).select("person_id", F.lit("order").alias("type"), at)
    refunds = known.where("row_type = 'refund'")
    return bought.unionByName(refunds.select("person_id", F.lit("refund").alias("type"), at))


def event_column(event: Event) -> str:
    """Name of the profile's column that counts an event within its window."""
    return f"count_{event.type}_{event.within_days or 'all'}"


def _allowed_emails(emails: DataFrame) -> DataFrame:
    return emails.select(F.col("entry").alias("_entry"), F.col("consent_email").alias("_allowed"))


def _wide_deciles(deciles: DataFrame) -> DataFrame:
    ranked = deciles.groupBy("person_id").agg(
        F.map_from_entries(F.collect_list(F.struct("metric", "decile"))).alias("deciles")
    )
    return ranked.select("person_id", "deciles")


def _newest_survey(surveys: DataFrame, as_of: date) -> DataFrame:
    before = surveys.where(F.col("answered_at") < F.lit(as_of).cast("timestamp"))
    newest = F.max(F.struct("answered_at", "response_id", "score")).alias("newest")
    days = F.date_diff(F.lit(as_of), F.to_date("newest.answered_at")).alias("survey_days_ago")
    return (
        before.groupBy("person_id")
        .agg(newest)
        .select("person_id", F.col("newest.score").alias("survey_score"), days)
    )


def _count_events(happenings: DataFrame, wanted: dict[str, Event], as_of: date) -> DataFrame:
    past = happenings.where(F.col("at") < F.lit(as_of).cast("timestamp"))
    counts = []
    for name, event in wanted.items():
        inside = F.col("type") == event.type
        if event.within_days:
            inside &= F.col("at") >= F.lit(as_of - timedelta(days=event.within_days)).cast(
                "timestamp"
            )
        counts.append(F.count_if(inside).alias(name))
    return past.groupBy("person_id").agg(*counts)
