"""Responses joined to the audiences and deciles that people were in when the lists went out."""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.measurement.tables import RESPONSE
from clvspark.privacy.consent import REFUSALS

RESPONSE_TYPES = (
    "email_opened",
    "email_clicked",
    "email_bounced",
    *REFUSALS,
    "coupon_redeemed",
    "visit",
)


def within_window(at: Column, *, as_of: date, window_days: int) -> Column:
    """Whether an instant lies in ``[as_of, as_of + window_days)``."""
    start, end = (
        F.lit(as_of).cast("timestamp"),
        F.lit(as_of + timedelta(days=window_days)).cast("timestamp"),
    )
    return (at >= start) & (at < end)


def join_responses(
    interactions: DataFrame,
    members: DataFrame,
    deciles: DataFrame,
    *,
    as_of: date,
    window_days: int,
) -> DataFrame:
    """Responses of the window.

    In: history.interaction; ``audience_id, person_id`` of the members on `as_of` and ``person_id, metric, decile`` of
    the date, both of persons of today. Out: measurement.response, one row a response. A campaign's response without
    audience is kept too.
    """
    made = interactions.where(
        F.col("interaction_type").isin(*RESPONSE_TYPES)
        & within_window(F.col("occurred_at"), as_of=as_of, window_days=window_days)
    )
    audiences = members.groupBy("person_id").agg(
        F.array_sort(F.collect_set("audience_id")).alias("audience_ids")
    )
    ranks = deciles.where("metric = 'clv'")
    joined = made.join(audiences, on="person_id", how="left").join(
        ranks.select("person_id", F.col("decile").alias("clv_decile")), on="person_id", how="left"
    )
    return joined.select(
        "event_id",
        F.lit(as_of).alias("as_of_date"),
        "person_id",
        "campaign_id",
        F.col("interaction_type").alias("response_type"),
        F.col("occurred_at").alias("responded_at"),
        F.coalesce("audience_ids", F.array().cast("array<string>")).alias("audience_ids"),
        "clv_decile",
    ).select(*RESPONSE.names)
