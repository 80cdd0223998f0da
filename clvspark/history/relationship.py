"""The stage of each relationship by past facts alone, beside recency, frequency, spend and satisfaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.history.config import RelationshipConfig
from clvspark.history.rfm import first_that_holds, score_rfm
from clvspark.history.tables import RELATIONSHIP, days_as_known
from clvspark.lakehouse.table import MONEY


def describe_relationships(
    days: DataFrame,
    answers: DataFrame,
    *,
    as_of: date,
    config: RelationshipConfig,
    orders: DataFrame | None = None,
) -> DataFrame:
    """How things stand with everyone who had bought before `as_of`.

    In: history.person_day; rows of `summarise_answers`; history.order, without which orders that were cancelled on a
    later day count as purchases. Out: history.relationship. The previous stage is the one that the same rules give by
    what was known `compare_days` before; it is NULL of who had not bought by then.

    The stages have the names of ``clv.customer_value.lifecycle_stage``. That one asks a model how likely the person
    is still a customer, this one compares the silence with the person's own rhythm: it needs no model, can be
    checked by hand, and is there before anything is fitted. Where they differ the model has seen what rules do not,
    as that somebody who bought often and is silent is likelier gone than somebody who always bought seldom.
    """
    known, lags = days_as_known(days, orders), (0, config.compare_days)
    standing = observe_purchases(known, as_of=as_of, lags_days=lags, config=config)
    staged = standing.withColumn("stage", relationship_stage(config))
    now, then = (staged.where(F.col("lag_days") == lag) for lag in (0, config.compare_days))
    previous = then.select("person_id", F.col("stage").alias("previous_stage"))
    described = (
        score_rfm(now)
        .join(previous, on="person_id", how="left")
        .join(answers, on="person_id", how="left")
    )
    columns = {"as_of_date": F.lit(as_of), "answers": F.coalesce("answers", F.lit(0))}
    return described.withColumns(columns).select(*RELATIONSHIP.names)


def stages_on(
    days: DataFrame, orders: DataFrame, dates: Sequence[date], *, config: RelationshipConfig
) -> DataFrame:
    """The stage of everyone who had bought before a date, on each of the dates, by what was known before it.

    In: history.person_day, history.order. Out: ``person_id, stage_on, stage``.
    """
    latest = max(dates)
    observed = observe_purchases(
        days_as_known(days, orders),
        as_of=latest,
        lags_days=[(latest - day).days for day in dates],
        config=config,
    )
    stage_on = F.date_sub(F.lit(latest), F.col("lag_days")).alias("stage_on")
    return observed.select("person_id", stage_on, relationship_stage(config).alias("stage"))


def observe_purchases(
    known: DataFrame, *, as_of: date, lags_days: Sequence[int], config: RelationshipConfig
) -> DataFrame:
    """What stages and scores are made from, as it was so many days before `as_of`, for each lag.

    In: rows of `days_as_known`. Out: one row a person and lag: ``person_id, lag_days, age_days, recency_days,
    frequency, monetary, usual_gap_days, spend_trend``. The last day counted is the day before, and an order that was
    cancelled by then is no purchase. ``usual_gap_days`` is the mean time between the person's purchase days,
    ``first_gap_days`` for one purchase, and at least ``shortest_gap_days``. ``spend_trend`` is net revenue a day within
    ``trend_days`` against that of the days before them; NULL unless these are as many.
    """
    lags = F.explode(F.array(*map(F.lit, sorted(set(lags_days))))).alias("lag_days")
    last_counted = F.date_sub(F.lit(as_of), F.col("lag_days") + 1)
    past = known.where("orders <> 0 OR refunds > 0 OR net_revenue <> 0").select("*", lags)
    past = past.withColumn("_last_counted", last_counted).where("known_on <= _last_counted")
    stood = past.groupBy("person_id", "lag_days", "_last_counted", "day").agg(
        F.sum("orders").alias("orders"), F.sum("net_revenue").alias("net_revenue")
    )
    bought = F.when(F.col("orders") > 0, F.col("day"))
    is_recent = F.col("day") > F.date_sub("_last_counted", config.trend_days)
    sums = stood.groupBy("person_id", "lag_days", "_last_counted").agg(
        F.min(bought).alias("_first"),
        F.max(bought).alias("_last"),
        F.count(bought).cast("int").alias("frequency"),
        F.sum("net_revenue").cast(MONEY).alias("monetary"),
        F.coalesce(F.sum(F.when(is_recent, F.col("net_revenue"))), F.lit(0)).alias("_recent"),
    )
    columns = {
        "age_days": F.date_diff("_last_counted", "_first"),
        "recency_days": F.date_diff("_last_counted", "_last"),
        "usual_gap_days": _usual_gap(config),
    }
    observed = sums.where("frequency > 0").withColumns(columns)
    days_before = F.col("age_days") + 1 - config.trend_days
    lately = F.col("_recent").cast("double") / config.trend_days
    before = F.try_divide((F.col("monetary") - F.col("_recent")).cast("double"), days_before)
    is_long = (days_before >= config.trend_days) & (before > 0)
    trend = F.when(is_long, F.try_divide(lately, before))
    return observed.withColumn("spend_trend", trend).drop(
        "_first", "_last", "_recent", "_last_counted"
    )


def _usual_gap(config: RelationshipConfig) -> Column:
    mean = F.try_divide(F.date_diff("_last", "_first"), F.col("frequency") - 1)
    gap = F.coalesce(mean, F.lit(float(config.first_gap_days)))
    return F.greatest(gap, F.lit(float(config.shortest_gap_days)))


def relationship_stage(config: RelationshipConfig) -> Column:
    """Stage of the relationship; the rules are read in this order: new, lapsed, slipping, core, else growing."""
    gaps = F.col("recency_days") / F.col("usual_gap_days")
    rules: list[tuple[Column, str]] = [
        (F.col("age_days") < config.new_within_days, "new"),
        (gaps > config.lapsed_after_gaps, "lapsed"),
        (gaps > config.slipping_after_gaps, "slipping"),
        (F.col("spend_trend") < config.slipping_below_trend, "slipping"),
        (F.col("frequency") >= config.core_from_purchases, "core"),
    ]
    return first_that_holds(rules, otherwise="growing")
