"""Orders and interactions become days of persons."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.history.tables import PERSON_DAY
from clvspark.lakehouse.table import MONEY


def summarise_person_days(orders: DataFrame, interactions: DataFrame) -> DataFrame:
    """What each known person did on each UTC day.

    In: history.order, history.interaction. Out: history.person_day, one row a person and day.
    A refund, an adjustment or a cancellation counts on the day it happened, as negative revenue, so that it changes
    no past day. An order that was cancelled on the day it was placed was none at the end of any day: it is not
    counted; one that is cancelled later stays an order of its day, and is a cancellation of the other.
    """
    zero = F.lit(0)
    is_cancelled = F.col("row_type") == "cancellation"
    is_same_day = F.to_date("purchased_at") == F.to_date("ordered_at")
    standing = F.col("is_purchase").cast("int") - (is_cancelled & is_same_day).cast("int")
    sales = orders.where(F.col("person_id").isNotNull()).select(
        "person_id",
        F.to_date("ordered_at").alias("day"),
        F.coalesce(standing, zero).alias("orders"),
        (F.col("row_type") == "refund").cast("int").alias("refunds"),
        (is_cancelled & ~is_same_day).cast("int").alias("cancellations"),
        "net_revenue",
        "margin",
        zero.alias("interactions"),
    )
    contacts = interactions.select(
        "person_id",
        F.to_date("occurred_at").alias("day"),
        zero.alias("orders"),
        zero.alias("refunds"),
        zero.cast(MONEY).alias("net_revenue"),
        zero.cast(MONEY).alias("margin"),
        F.lit(1).alias("interactions"),
        zero.alias("cancellations"),
    )
    names = ("orders", "refunds", "interactions", "cancellations")
    counts = [F.coalesce(F.sum(name), zero).cast("int").alias(name) for name in names]
    sums = [F.sum(name).cast(MONEY).alias(name) for name in ("net_revenue", "margin")]
    days = sales.unionByName(contacts).groupBy("person_id", "day").agg(*counts, *sums)
    return days.select(*PERSON_DAY.names)
