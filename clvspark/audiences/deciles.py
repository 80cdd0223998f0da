"""Deciles of every metric, ranked in a distributed way and the same under any partitioning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.audiences.tables import DECILE, EXPECTED_DECILE, PERSON_DECILE

LOOK_BACK_MONTHS = (1, 3, 6, 9, 12)
# What is summed, by metric.
AMOUNTS = {"revenue": "net_revenue", "margin": "margin", "orders": "orders"}
_BUCKETS = 16


def sum_look_backs(
    days: DataFrame,
    *,
    as_of: date,
    months: Sequence[int] = LOOK_BACK_MONTHS,
    metrics: Sequence[str] = ("revenue",),
) -> DataFrame:
    """Sums of each person in each window ``[as_of - N months, as_of)`` and over all time.

    In: history.person_day, or rows of `list_scoped_days`; which of `AMOUNTS` to sum. Out: ``person_id, metric,
    value``; only positive values, so that people who did not buy are not spread over the lower deciles at random.
    """
    past = days.where(F.col("day") < F.lit(as_of))
    end = F.lit(as_of)
    windows = {f"month_{n}": F.col("day") >= F.add_months(end, -n) for n in months}
    windows["all"] = F.lit(True)
    scope = [name for name in ("scope",) if name in days.columns]
    sums = past.groupBy("person_id", *scope).agg(
        *(
            F.sum(F.when(inside, F.col(AMOUNTS[metric]))).cast("double").alias(f"{metric}_{name}")
            for metric in metrics
            for name, inside in windows.items()
        )
    )
    names = [f"{metric}_{name}" for metric in metrics for name in windows]
    ids: list[Column | str] = ["person_id", *scope]
    long = sums.unpivot(ids, list(names), "metric", "value").where("value > 0")
    if not scope:
        return long
    scoped = F.concat_ws(" ", "metric", "scope").alias("metric")
    return long.select("person_id", scoped, "value")


def list_scoped_days(
    orders: DataFrame,
    events: DataFrame,
    products: DataFrame,
    *,
    channels: Sequence[str],
    categories: Sequence[str],
) -> DataFrame:
    """What persons bought in single channels and categories, as ``person_id, day, scope`` and `AMOUNTS`.

    In: history.order; sources.event; sources.product. Of a category the lines count as they were ordered, less
    refunds; a cancelled order counts nowhere. The margin of a category is not known (NULL).
    """
    known = orders.where("person_id IS NOT NULL AND coalesce(status, '') <> 'cancelled'")
    is_purchase = F.col("is_purchase").cast("int")
    by_channel = known.where(F.col("channel").isin(*channels)).select(
        "person_id",
        F.to_date("ordered_at").alias("day"),
        F.concat(F.lit("channel="), "channel").alias("scope"),
        "net_revenue",
        "margin",
        is_purchase.alias("orders"),
    )
    if not categories:
        return by_channel
    owners = known.groupBy("order_id").agg(F.min("person_id").alias("person_id"))
    wanted = products.where(F.col("category").isin(*categories)).select("product_id", "category")
    lines = events.where("event_type IN ('order', 'refund')").join(
        F.broadcast(wanted), on="product_id"
    )
    day = F.to_date("occurred_at").alias("day")
    sums = lines.groupBy("order_id", "event_type", day, "category").agg(
        F.sum("net_revenue").alias("net_revenue")
    )
    by_category = sums.join(owners, on="order_id").select(
        "person_id",
        "day",
        F.concat(F.lit("category="), "category").alias("scope"),
        "net_revenue",
        F.lit(None).cast("decimal(18,2)").alias("margin"),
        (F.col("event_type") == "order").cast("int").alias("orders"),
    )
    return by_channel.unionByName(by_category)


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
    names = [f"_cut_{n}" for n in range(len(steps))]
    cuts = values.groupBy("metric").agg(F.percentile_approx("value", steps, 1_000).alias("_cuts"))
    # Side by side: a row that carries them as an array is ten times as long.
    wide = cuts.select("metric", *(F.get("_cuts", F.lit(n)).alias(c) for n, c in enumerate(names)))
    bucket = reduce(Column.__add__, ((F.col(cut) > F.col("value")).cast("int") for cut in names))
    placed = values.join(F.broadcast(wide), on="metric").select(
        *values.columns, bucket.alias("_bucket")
    )
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


def tabulate_deciles(ranked: DataFrame, persons: DataFrame, *, as_of: date) -> DataFrame:
    """Deciles of every person side by side, as audiences.person_decile; NULL of who had no activity.

    In: audiences.decile of the date; identity.person. One row a person and metric; a metric within a channel or a
    category is one of its own.
    """
    look_backs = [*(f"month_{n}" for n in LOOK_BACK_MONTHS), "all"]
    pattern = r"^(revenue|margin|orders)_(month_\d+|all)( .*)?$"
    names = ranked.select("metric").distinct().where(F.col("metric").rlike(pattern))
    # Taken apart once a metric, not once a row.
    parts = names.select(
        "metric",
        F.regexp_extract("metric", pattern, 2).alias("_window"),
        F.concat(*(F.regexp_extract("metric", pattern, n) for n in (1, 3))).alias("_name"),
    ).localCheckpoint()
    named = ranked.join(F.broadcast(parts), on="metric").select(
        "person_id", F.col("_name").alias("metric"), "_window", "value", "decile"
    )
    wide = named.groupBy("person_id", "metric").agg(
        *(
            F.max(F.when(F.col("_window") == w, F.col(column))).alias(f"{column}_{w}")
            for column in ("value", "decile")
            for w in look_backs
        )
    )
    metrics = parts.select(F.col("_name").alias("metric")).distinct()
    every = persons.select("person_id").crossJoin(F.broadcast(metrics))
    joined = every.join(wide, on=["person_id", "metric"], how="left")
    zero = {f"value_{w}": F.coalesce(f"value_{w}", F.lit(0.0)) for w in look_backs}
    return joined.withColumns({**zero, "as_of_date": F.lit(as_of)}).select(*PERSON_DECILE.names)


def expect_deciles(ranked: DataFrame, values: DataFrame, *, as_of: date) -> DataFrame:
    """Between which deciles a person will be by what is expected of them, as audiences.expected_decile.

    In: audiences.decile and clv.customer_value of the date. The bounds of the deciles are the least residual values in
    them; where the ends of the person's interval of the outcome fall tells the deciles, a central interval of 80 %
    that takes the others as expected. The probability of the top decile is that of clv.customer_value.
    """
    rated = ranked.where("metric = 'residual_value'")
    least = [
        F.min(F.when(F.col("decile") == tenth, F.col("value"))).alias(f"_least_{tenth}")
        for tenth in range(1, 10)
    ]
    cuts = rated.agg(*least)
    both = values.join(rated.select("person_id", "decile"), on="person_id").crossJoin(
        F.broadcast(cuts)
    )

    def decile_at(value: str) -> Column:
        below = [(F.col(value) < F.col(f"_least_{tenth}")).cast("int") for tenth in range(1, 10)]
        return (F.lit(1) + reduce(Column.__add__, (F.coalesce(b, F.lit(0)) for b in below))).cast(
            "int"
        )

    ends = {
        name: F.when(F.col(value).isNotNull(), decile_at(value))
        for name, value in {
            "decile_best": "outcome_value_high",
            "decile_worst": "outcome_value_low",
        }.items()
    }
    return both.withColumns({**ends, "as_of_date": F.lit(as_of)}).select(*EXPECTED_DECILE.names)


def ntile(rank: str, total: str, tiles: int = 10) -> Column:
    """SQL's NTILE from a rank and a count: the first ``total % tiles`` tiles have one row more."""
    small, rest = F.expr(f"{total} div {tiles}"), F.col(total) % tiles
    wide = rest * (small + 1)
    in_wide = F.ceil(F.col(rank) / (small + 1))
    in_small = rest + F.ceil((F.col(rank) - wide) / F.greatest(small, F.lit(1)))
    return F.when(F.col(rank) <= wide, in_wide).otherwise(in_small).cast("int")
