"""Revenue of the orders is held against that of the events, by another way than the one the orders were made by."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.history.booking import book_amounts
from clvspark.history.tables import days_as_known
from clvspark.privacy.tombstones import SALES


def sum_exchange_differences(events: DataFrame) -> DataFrame:
    """One row, ``difference``: what the events' net revenue has beyond the same at the rates of their orders.

    In: sources.event. It reads the events that were converted, and no others.
    """
    foreign = events.where(F.col("event_type").isin(*SALES) & F.col("exchange_rate").isNotNull())
    landed = foreign.withColumn("_landed", F.col("net_revenue"))
    booked = book_amounts(landed)
    return booked.agg(F.sum(F.col("_landed") - F.col("net_revenue")).alias("difference"))


def sum_annulled_revenue(events: DataFrame) -> DataFrame:
    """One row, ``annulled``: what of the events' net revenue was cancelled, or replaced by another version of its line.

    In: sources.event. It reads the orders that have such an event, and no others, at the rates of these orders. A
    cancelled order is worth nothing, whatever was refunded of it; of a line that was updated the newest version counts.
    """
    sales = events.where(F.col("event_type").isin(*SALES))
    is_cancellation = F.col("event_type") == "order_cancelled"
    is_update = F.col("event_type") == "order_updated"
    changed = (
        sales.where(is_cancellation | is_update)
        .groupBy("order_id")
        .agg(F.bool_or(is_cancellation).alias("_is_cancelled"))
    )
    revenue = F.col("net_revenue")
    is_order = F.col("event_type") == "order"
    version = F.when(is_update, F.struct("occurred_at", "event_id"))
    lines = (
        book_amounts(sales.join(changed, on="order_id", how="inner"))
        .groupBy("order_id", "line_id", "_is_cancelled")
        .agg(
            F.sum(revenue).alias("_written"),
            F.sum(F.when(is_order, revenue)).alias("_ordered"),
            F.sum(F.when(F.col("event_type") == "refund", revenue)).alias("_refunded"),
            F.max_by(F.when(is_update, revenue), version).alias("_newest"),
        )
    )
    zero = F.lit(0)
    worth = F.coalesce("_newest", "_ordered", zero) + F.coalesce("_refunded", zero)
    standing = F.when(F.col("_is_cancelled"), zero).otherwise(worth)
    annulled = F.coalesce("_written", zero) - standing
    return lines.agg(F.sum(annulled).alias("annulled"))


def sum_of_persons(days: DataFrame, orders: DataFrame, *, as_of: date) -> DataFrame:
    """One row: ``before`` and ``later``, net revenue of persons before a date and from it on, and ``bare``.

    In: history.person_day, history.order. ``bare`` is the part of ``before`` of those without a purchase that stands on
    the date, as of refunds whose order has not landed: it has no row in history.clv_summary.
    """
    revenue, is_before = F.col("net_revenue"), F.col("known_on") < F.lit(as_of)
    persons = (
        days_as_known(days, orders)
        .groupBy("person_id")
        .agg(
            F.sum(F.when(is_before, F.col("orders"))).alias("_standing"),
            F.sum(F.when(is_before, revenue)).alias("_before"),
            F.sum(F.when(~is_before, revenue)).alias("_later"),
        )
    )
    is_bare = F.coalesce("_standing", F.lit(0)) <= 0
    return persons.agg(
        F.sum("_before").alias("before"),
        F.sum("_later").alias("later"),
        F.sum(F.when(is_bare, F.col("_before"))).alias("bare"),
    )
