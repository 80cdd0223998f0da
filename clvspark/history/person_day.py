"""Orders and interactions become days of persons."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.history.tables import PERSON_DAY

_MONEY = "decimal(18,2)"


def summarise_person_days(orders: DataFrame, interactions: DataFrame) -> DataFrame:
    """What each known person did on each UTC day.

    In: history.order, history.interaction. Out: history.person_day, one row a person and day.
    A refund counts on the day it happened, as negative revenue, so that it changes no past day.
    """
    zero = F.lit(0)
    sales = orders.where(F.col("person_id").isNotNull()).select(
        "person_id",
        F.to_date("ordered_at").alias("day"),
        F.col("is_purchase").cast("int").alias("orders"),
        (~F.col("is_purchase")).cast("int").alias("refunds"),
        "net_revenue",
        "margin",
        zero.alias("interactions"),
    )
    contacts = interactions.select(
        "person_id",
        F.to_date("occurred_at").alias("day"),
        zero.alias("orders"),
        zero.alias("refunds"),
        zero.cast(_MONEY).alias("net_revenue"),
        zero.cast(_MONEY).alias("margin"),
        F.lit(1).alias("interactions"),
    )
    counts = [F.sum(name).cast("int").alias(name) for name in ("orders", "refunds", "interactions")]
    sums = [F.sum(name).cast(_MONEY).alias(name) for name in ("net_revenue", "margin")]
    days = sales.unionByName(contacts).groupBy("person_id", "day").agg(*counts, *sums)
    return days.select(*PERSON_DAY.names)
