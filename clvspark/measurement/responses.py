"""Responses joined to the audiences and deciles that people were in when the lists went out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.tables import resolve_aliases
from clvspark.lakehouse.dates import rows_of
from clvspark.measurement.bots import DELIVERIES, mark_bots
from clvspark.measurement.config import BotRules
from clvspark.measurement.tables import RESPONSE
from clvspark.privacy.consent import REFUSALS

RESPONSE_TYPES = (
    "email_opened",
    "email_clicked",
    "email_bounced",
    *REFUSALS,
    "push_opened",
    "coupon_redeemed",
    "visit",
    "store_visit",
    "survey_answer",
)
PURCHASE = "purchase"
# By how much a delivery may come before the window and its message be opened within.
_DAYS_BEFORE = 1


def within_window(at: Column, *, as_of: date, window_days: int) -> Column:
    """Whether an instant lies in ``[as_of, as_of + window_days)``."""
    start, end = (
        F.lit(as_of).cast("timestamp"),
        F.lit(as_of + timedelta(days=window_days)).cast("timestamp"),
    )
    return (at >= start) & (at < end)


def join_responses(
    interactions: DataFrame,
    orders: DataFrame,
    members: DataFrame,
    deciles: DataFrame,
    *,
    as_of: date,
    window_days: int,
    bots: BotRules,
) -> DataFrame:
    """Responses of the window.

    In: history.interaction; history.order; ``audience_id, person_id`` of the members on `as_of` and ``person_id,
    metric, decile`` of the date, both of persons of today. Out: measurement.response, one row a response. A campaign's
    response without audience is kept too, and a purchase whatever led to it: what acting caused is told by experiments.
    """
    said = F.col("interaction_type").isin(*RESPONSE_TYPES, *DELIVERIES)
    near = within_window(
        F.col("occurred_at"),
        as_of=as_of - timedelta(days=_DAYS_BEFORE),
        window_days=window_days + _DAYS_BEFORE,
    )
    marked = mark_bots(interactions.where(said & near), bots)
    made = marked.where(F.col("interaction_type").isin(*RESPONSE_TYPES)).select(
        "event_id",
        "person_id",
        "campaign_id",
        F.col("interaction_type").alias("response_type"),
        F.col("occurred_at").alias("responded_at"),
        "channel",
        "is_bot",
    )
    bought = orders.where("is_purchase AND person_id IS NOT NULL").select(
        F.concat(F.lit("order:"), "order_id").alias("event_id"),
        "person_id",
        F.lit(None).cast("string").alias("campaign_id"),
        F.lit(PURCHASE).alias("response_type"),
        F.col("ordered_at").alias("responded_at"),
        "channel",
        F.lit(False).alias("is_bot"),
    )
    window = within_window(F.col("responded_at"), as_of=as_of, window_days=window_days)
    audiences = members.groupBy("person_id").agg(
        F.array_sort(F.collect_set("audience_id")).alias("audience_ids")
    )
    ranks = deciles.where("metric = 'clv'")
    joined = (
        made.unionByName(bought)
        .where(window)
        .join(audiences, on="person_id", how="left")
        .join(
            ranks.select("person_id", F.col("decile").alias("clv_decile")),
            on="person_id",
            how="left",
        )
    )
    nowhere = F.array().cast("array<string>")
    columns = {
        "as_of_date": F.lit(as_of),
        "audience_ids": F.coalesce("audience_ids", nowhere),
    }
    return joined.withColumns(columns).select(*RESPONSE.names)


def list_touched(changes: Mapping[str, DataFrame], aliases: DataFrame, *, as_of: date) -> DataFrame:
    """``person_id`` of everyone whose responses may be other ones since: as they were and as they are today.

    In: rows of the change feeds by table name, of history.interaction, history.order, audiences.membership_event,
    audiences.decile and identity.alias; identity.alias. Of the lists and ranks only those of `as_of` count.
    """
    counts = {
        "audiences.membership_event": F.col("happened_on") <= F.lit(as_of),
        "audiences.decile": F.expr(f"{rows_of(as_of)} AND metric = 'clv'"),
    }
    rows = [
        feed.where(counts.get(name, F.lit(True))).select("person_id")
        for name, feed in changes.items()
    ]
    if "identity.alias" in changes:
        rows.append(changes["identity.alias"].select(F.col("retired_id").alias("person_id")))
    named = _union(rows).where("person_id IS NOT NULL").distinct()
    return named.unionByName(resolve_aliases(named, aliases)).distinct()


def _union(frames: Iterable[DataFrame]) -> DataFrame:
    return reduce(DataFrame.unionByName, frames)
