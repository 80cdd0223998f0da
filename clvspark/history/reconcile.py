"""Revenue of the orders is held against that of the events, by another way than the one the orders were made by."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.history.tables import days_as_known
from clvspark.privacy.tombstones import SALES


def list_altered(events: DataFrame) -> DataFrame:
    """Events of the orders that may have come to another sum than that of their lines as they landed.

    In and out: sources.event. These are orders with an update, a cancellation or an amount that was converted.
    """
    sales = events.where(F.col("event_type").isin(*SALES))
    altered = sales.where(_is_cancellation() | _is_update() | F.col("exchange_rate").isNotNull())
    return sales.join(altered.select("order_id").distinct(), on="order_id", how="left_semi")


def sum_exchange_differences(booked: DataFrame) -> DataFrame:
    """One row, ``difference``: what lines came to when they landed beyond the same at the rates of their orders.

    In: rows of `book_lines`, at least those of the orders that `list_altered` finds.
    """
    moved = F.col("landed_revenue") - F.col("net_revenue")
    return booked.agg(F.sum(moved).alias("difference"))


def sum_annulled_revenue(booked: DataFrame) -> DataFrame:
    """One row, ``annulled``: what of the lines' net revenue was cancelled, or replaced by another version of its line.

    In: as `sum_exchange_differences`. A cancelled order is worth nothing, whatever was refunded of it; of a line that
    was updated the newest version counts.
    """
    is_cancellation, is_update = _is_cancellation(), _is_update()
    changed = (
        booked.where(is_cancellation | is_update)
        .groupBy("order_id")
        .agg(F.bool_or(is_cancellation).alias("_is_cancelled"))
    )
    revenue = F.col("net_revenue")
    is_order = F.col("event_type") == "order"
    version = F.when(is_update, F.struct("occurred_at", "event_id"))
    lines = (
        booked.join(changed, on="order_id", how="inner")
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


def _is_cancellation() -> Column:
    return F.col("event_type") == "order_cancelled"


def _is_update() -> Column:
    return F.col("event_type") == "order_updated"


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
