"""Days of persons become the sufficient statistics of the CLV models: x, t_x, T and spend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.history.tables import CLV_SUMMARY
from clvspark.lakehouse.table import MONEY


def list_late_changes(orders: DataFrame) -> DataFrame:
    """Refunds, adjustments and cancellations on another day than the purchase that they belong to.

    In: history.order. Out: one row an order, day and kind of change: ``person_id, bought_on, changed_on,
    cancellations, net_revenue, margin``. What changes an order that is not there belongs to no purchase.
    """
    day, bought_on = F.to_date("ordered_at"), F.to_date("purchased_at")
    is_cancelled = F.col("row_type") == "cancellation"
    return (
        orders.where(~F.col("is_purchase") & F.col("person_id").isNotNull())
        .where(day != bought_on)
        .select(
            "person_id",
            bought_on.alias("bought_on"),
            day.alias("changed_on"),
            is_cancelled.cast("int").alias("cancellations"),
            "net_revenue",
            "margin",
        )
    )


def summarise_purchases(
    days: DataFrame,
    *,
    as_of: date,
    lags_days: Sequence[int],
    late_changes: DataFrame | None = None,
) -> DataFrame:
    """Purchase summary of every person who had bought, so many days before `as_of`, for each lag.

    In: history.person_day; rows of `list_late_changes`. Out: history.clv_summary, one row a person and lag. The last
    day counted is the day before ``as_of - lag``, so that T of a purchase on that day is 0; an order that was
    cancelled by that day is no purchase, one that was cancelled later still is. Several purchases on one day count
    once (Fader, Hardie & Lee 2005). Spend is the mean over repeat days: the first one is left out, with what changed
    of its orders until then, as it opens the relationship. Other changes lower the spend of the repeat days.
    """
    counted = days.where("orders > 0 OR net_revenue <> 0 OR margin <> 0")
    known = counted.select(
        "person_id",
        "day",
        F.col("day").alias("known_on"),
        "orders",
        "net_revenue",
        "margin",
        F.col("net_revenue").alias("revenue_of_day"),
        F.col("margin").alias("margin_of_day"),
    )
    if late_changes is not None:
        known = known.unionByName(_as_known(late_changes))
    lags = F.explode(F.array(*(F.lit(lag) for lag in sorted(set(lags_days))))).alias("lag_days")
    until = F.date_sub(F.lit(as_of), F.col("lag_days"))
    # By person once: both sums that follow need no other exchange.
    past = known.repartition("person_id").select("*", lags).withColumn("_until", until)
    key = ["person_id", "lag_days", "_until"]
    by_day = (
        past.where(F.col("known_on") < F.col("_until"))
        .groupBy(*key, "day")
        .agg(*(F.sum(name).alias(name) for name in known.columns[3:]))
    )
    bought = F.col("orders") > 0
    day_bought = F.when(bought, F.col("day"))
    by_day = by_day.withColumn("_log_interval", _log_interval(day_bought, key))
    summary = by_day.groupBy(*key).agg(
        F.min(day_bought).alias("first_purchase_on"),
        F.max(day_bought).alias("last_purchase_on"),
        F.count_if(bought).alias("purchase_days"),
        F.sum(F.when(bought, F.col("orders"))).cast("int").alias("orders"),
        F.sum("net_revenue").cast(MONEY).alias("historical_revenue"),
        F.sum("margin").cast(MONEY).alias("historical_margin"),
        F.min_by("revenue_of_day", day_bought).alias("first_revenue"),
        F.min_by("margin_of_day", day_bought).alias("first_margin"),
        # Summed as decimals, which come to the same in any order.
        F.sum(F.col("_log_interval").cast("decimal(20,12)")).alias("_log_intervals"),
    )
    frequency = (F.col("purchase_days") - 1).cast("int")
    last_counted = F.date_sub("_until", 1)
    columns = {
        "as_of_date": F.lit(as_of),
        "frequency": frequency,
        "recency_days": F.date_diff("last_purchase_on", "first_purchase_on"),
        "t_days": F.date_diff(last_counted, F.col("first_purchase_on")),
        "monetary_value": _mean_repeat("historical_revenue", "first_revenue"),
        "monetary_margin": _mean_repeat("historical_margin", "first_margin"),
        "log_intervals": F.coalesce(F.col("_log_intervals").cast("double"), F.lit(0.0)),
    }
    return summary.where("purchase_days > 0").withColumns(columns).select(*CLV_SUMMARY.names)


def _as_known(changes: DataFrame) -> DataFrame:
    """Late changes as rows of the day of their purchase, known from a later day on.

    Their amounts count in the sums of their own day already; to the day of the purchase they belong beside these.
    """
    nothing = F.lit(0).cast(MONEY)
    return changes.select(
        "person_id",
        F.col("bought_on").alias("day"),
        F.col("changed_on").alias("known_on"),
        (-F.col("cancellations")).alias("orders"),
        nothing.alias("net_revenue"),
        nothing.alias("margin"),
        F.col("net_revenue").alias("revenue_of_day"),
        F.col("margin").alias("margin_of_day"),
    )


def _log_interval(day_bought: Column, key: Sequence[str]) -> Column:
    """Logarithm of the days since the purchase day before, of a purchase day that has one; NULL of all others."""
    before = Window.partitionBy(*key).orderBy("day").rowsBetween(Window.unboundedPreceding, -1)
    previous = F.last(day_bought, ignorenulls=True).over(before)
    return F.log(F.date_diff(day_bought, previous))


def _mean_repeat(total: str, first: str) -> Column:
    repeats = F.col("purchase_days") - 1
    mean = (F.col(total).cast("double") - F.col(first).cast("double")) / repeats
    return F.when(repeats > 0, mean).otherwise(F.lit(0.0))
