"""Recency, frequency and monetary value scored from 1 to 5, and the segment that they tell."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_QUINTILES = [0.2, 0.4, 0.6, 0.8]
_DIGITS = 3


def score_rfm(customers: DataFrame) -> DataFrame:
    """Customers with ``r_score, f_score, m_score`` from 1, worst, to 5, best, and the segment.

    In: one row a customer with ``recency_days, frequency, monetary``. A score counts the quintiles among all
    customers that a value is beyond (Hughes 1994, Strategic database marketing), recency by falling days, so that
    equal values have equal scores: where most have bought once, all of these score 1. The quintiles are exact and
    the same in any partitioning; for them monetary value counts by its first three digits, which bounds the distinct
    values that are gathered.
    """
    ranked = {
        "r": F.col("recency_days").cast("double"),
        "f": F.col("frequency").cast("double"),
        "m": _coarse("monetary"),
    }
    valued = customers.withColumns({f"_{name}": value for name, value in ranked.items()})
    cuts = valued.agg(
        *(F.percentile(f"_{name}", _QUINTILES).alias(f"_{name}_cuts") for name in ranked)
    )
    beside = valued.crossJoin(F.broadcast(cuts))
    scores = {
        "r_score": F.lit(5) - _count_below("_r"),
        "f_score": F.lit(1) + _count_below("_f"),
        "m_score": F.lit(1) + _count_below("_m"),
    }
    scored = beside.withColumns(scores).withColumn("segment", segment())
    return scored.select(*customers.columns, *scores, "segment")


def segment() -> Column:
    """Segment by recency and frequency, the first that holds."""
    recent, often = F.col("r_score"), F.col("f_score")
    rules: list[tuple[Column, str]] = [
        ((recent >= 4) & (often >= 4), "champions"),
        ((recent >= 3) & (often >= 3), "loyal"),
        (recent >= 4, "promising"),
        (recent == 3, "needs_attention"),
        (often >= 4, "cannot_lose"),
        (often == 3, "at_risk"),
    ]
    return first_that_holds(rules, otherwise="hibernating")


def first_that_holds(rules: list[tuple[Column, str]], *, otherwise: str) -> Column:
    """The name of the first rule that holds; a rule that is NULL does not."""
    return reduce(
        lambda rest, rule: F.when(rule[0], rule[1]).otherwise(rest),
        reversed(rules),
        F.lit(otherwise),
    )


def _count_below(value: str) -> Column:
    """How many of the cuts the value is beyond."""
    beyond = [
        (F.col(value) > F.get(f"{value}_cuts", F.lit(n))).cast("int")
        for n in range(len(_QUINTILES))
    ]
    return reduce(Column.__add__, beyond)


def _coarse(amount: str) -> Column:
    """The amount by its first digits; less than nothing counts as nothing."""
    size = F.greatest(F.col(amount).cast("double"), F.lit(0.01))
    unit = F.pow(F.lit(10.0), F.floor(F.log10(size)) - (_DIGITS - 1))
    return F.round(size / unit) * unit
