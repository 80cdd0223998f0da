"""Days of persons become the sufficient statistics of the CLV models: x, t_x, T and spend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.history.tables import CLV_SUMMARY

_MONEY = "decimal(18,2)"


def list_late_refunds(orders: DataFrame) -> DataFrame:
    """Refunds on another day than the purchase that they belong to.

    In: history.order. Out: one row a refund of an order and day: ``person_id, bought_on, refunded_on, net_revenue,
    margin``. A refund whose order is not there belongs to no purchase.
    """
    day = F.to_date("ordered_at")
    bought = orders.where("is_purchase").select("order_id", day.alias("bought_on"))
    refunds = orders.where("NOT is_purchase AND person_id IS NOT NULL")
    refunds = refunds.select(
        "order_id", "person_id", day.alias("refunded_on"), "net_revenue", "margin"
    )
    late = refunds.join(bought, on="order_id", how="inner").where("refunded_on <> bought_on")
    return late.drop("order_id")


def summarise_purchases(
    days: DataFrame,
    *,
    as_of: date,
    lags_days: Sequence[int],
    late_refunds: DataFrame | None = None,
) -> DataFrame:
    """Purchase summary of every person who had bought, so many days before `as_of`, for each lag.

    In: history.person_day; rows of `list_late_refunds`. Out: history.clv_summary, one row a person and lag. The last
    day counted is the day before ``as_of - lag``, so that T of a purchase on that day is 0. Several purchases on one
    day count once (Fader, Hardie & Lee 2005). Spend is the mean over repeat days: the first one is left out, with
    what was refunded of it until then, as it opens the relationship. Other refunds lower the spend of the repeat days.
    """
    lags = F.explode(F.array(*(F.lit(lag) for lag in sorted(set(lags_days))))).alias("lag_days")
    until = F.date_sub(F.lit(as_of), F.col("lag_days"))

    def known(rows: DataFrame, day: str) -> DataFrame:
        """Rows of the days that count, for each lag."""
        lagged = rows.select("*", lags).withColumn("_until", until)
        return lagged.where(F.col(day) < F.col("_until"))

    bought = F.col("orders") > 0
    active = days.where("orders > 0 OR refunds > 0")
    past = known(active.withColumn("_log_interval", _log_interval(bought)), "day")
    first = F.min(F.when(bought, F.col("day")))
    summary = past.groupBy("person_id", "lag_days", "_until").agg(
        first.alias("first_purchase_on"),
        F.max(F.when(bought, F.col("day"))).alias("last_purchase_on"),
        F.count_if(bought).alias("purchase_days"),
        F.sum("orders").cast("int").alias("orders"),
        F.sum("net_revenue").cast(_MONEY).alias("historical_revenue"),
        F.sum("margin").cast(_MONEY).alias("historical_margin"),
        F.min_by("net_revenue", F.when(bought, F.col("day"))).alias("first_revenue"),
        F.min_by("margin", F.when(bought, F.col("day"))).alias("first_margin"),
        # Summed as decimals, which come to the same in any order.
        F.sum(F.col("_log_interval").cast("decimal(20,12)")).alias("_log_intervals"),
    )
    if late_refunds is not None:
        summary = _add_refunds_of_first_day(summary, known(late_refunds, "refunded_on"))
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


def _add_refunds_of_first_day(summary: DataFrame, refunds: DataFrame) -> DataFrame:
    """The first day's revenue and margin with what was refunded of it on later days. In: late refunds of each lag."""
    key = ["person_id", "lag_days", "first_purchase_on"]
    sums = (
        refunds.withColumnRenamed("bought_on", "first_purchase_on")
        .groupBy(*key)
        .agg(F.sum("net_revenue").alias("_revenue"), F.sum("margin").alias("_margin"))
    )
    parts = {"first_revenue": "_revenue", "first_margin": "_margin"}
    return summary.join(sums, on=key, how="left").withColumns(
        {name: F.col(name) + F.coalesce(part, F.lit(0)) for name, part in parts.items()}
    )


def _log_interval(bought: Column) -> Column:
    """Logarithm of the days since the purchase day before, of a purchase day that has one; a refund is none.

    The days before are the same as of any date, so it is taken once for all lags.
    """
    before = (
        Window.partitionBy("person_id").orderBy("day").rowsBetween(Window.unboundedPreceding, -1)
    )
    previous = F.last(F.when(bought, F.col("day")), ignorenulls=True).over(before)
    return F.when(bought, F.log(F.date_diff("day", previous)))


def _mean_repeat(total: str, first: str) -> Column:
    repeats = F.col("purchase_days") - 1
    mean = (F.col(total).cast("double") - F.col(first).cast("double")) / repeats
    return F.when(repeats > 0, mean).otherwise(F.lit(0.0))
