"""Deciles of every metric, ranked in a distributed way and the same under any partitioning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.audiences.tables import DECILE

LOOK_BACK_MONTHS = (1, 3, 6, 9, 12)
_BUCKETS = 64


def sum_look_backs(
    days: DataFrame, *, as_of: date, months: Sequence[int] = LOOK_BACK_MONTHS
) -> DataFrame:
    """Net revenue of each person in each window ``[as_of - N months, as_of)`` and over all time.

    In: history.person_day. Out: ``person_id, metric, value``; only positive values, so that people who did not
    buy are not spread over the lower deciles at random.
    """
    past = days.where(F.col("day") < F.lit(as_of))
    end = F.lit(as_of)
    windows = {f"revenue_month_{n}": F.col("day") >= F.add_months(end, -n) for n in months}
    windows["revenue_all"] = F.lit(True)
    sums = past.groupBy("person_id").agg(
        *(
            F.sum(F.when(inside, F.col("net_revenue"))).cast("double").alias(name)
            for name, inside in windows.items()
        )
    )
    return sums.unpivot("person_id", list(windows), "metric", "value").where("value > 0")


def list_values(
    values: DataFrame, *, as_of: date, metrics: Sequence[str] = ("clv", "residual_value")
) -> DataFrame:
    """Predicted metrics of clv.customer_value on `as_of` as ``person_id, metric, value``."""
    now = values.where(F.col("as_of_date") == F.lit(as_of))
    return now.select("person_id", *metrics).unpivot("person_id", list(metrics), "metric", "value")


def rank_deciles(values: DataFrame, *, as_of: date) -> DataFrame:
    """Decile of each person by each metric: NTILE(10) by falling value, ties by a hash of the person.

    In: ``person_id, metric, value``. Out: audiences.decile. The values of a metric are cut into buckets at their
    approximate quantiles; each bucket is ranked by itself and starts where the better ones end. The ranks are
    exact wherever the cuts fall, and no task sees more than a bucket.
    """
    steps = [n / _BUCKETS for n in range(1, _BUCKETS)]
    cuts = values.groupBy("metric").agg(F.percentile_approx("value", steps, 10_000).alias("_cuts"))
    # Compared one by one in compiled code; a lambda over the array would be interpreted for every row.
    above = [(F.get("_cuts", F.lit(n)) > F.col("value")).cast("int") for n in range(len(steps))]
    bucket = reduce(Column.__add__, above)
    placed = values.join(F.broadcast(cuts), on="metric").withColumn("_bucket", bucket).drop("_cuts")
    sizes = placed.groupBy("metric", "_bucket").agg(F.count(F.lit(1)).alias("_size"))
    ahead = Window.partitionBy("metric").orderBy("_bucket")
    starts = sizes.select(
        "metric",
        "_bucket",
        (F.sum("_size").over(ahead) - F.col("_size")).alias("_start"),
        F.sum("_size").over(Window.partitionBy("metric")).alias("_total"),
    )
    within = Window.partitionBy("metric", "_bucket").orderBy(
        F.desc("value"), F.xxhash64("person_id"), "person_id"
    )
    rank = (F.col("_start") + F.row_number().over(within)).alias("rank")
    ranked = placed.join(F.broadcast(starts), on=["metric", "_bucket"]).select("*", rank)
    return ranked.select(
        "person_id",
        "metric",
        F.lit(as_of).alias("as_of_date"),
        "value",
        "rank",
        ntile("rank", "_total").alias("decile"),
    ).select(*DECILE.names)


def ntile(rank: str, total: str, tiles: int = 10) -> Column:
    """SQL's NTILE from a rank and a count: the first ``total % tiles`` tiles have one row more."""
    small, rest = F.expr(f"{total} div {tiles}"), F.col(total) % tiles
    wide = rest * (small + 1)
    in_wide = F.ceil(F.col(rank) / (small + 1))
    in_small = rest + F.ceil((F.col(rank) - wide) / F.greatest(small, F.lit(1)))
    return F.when(F.col(rank) <= wide, in_wide).otherwise(in_small).cast("int")
