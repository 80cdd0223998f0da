"""Folds of the rolling-origin backtest: what was known at each origin, and what came after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.clv.config import ClvConfig
from clvspark.clv.fit import Value
from clvspark.history.tables import days_as_known
from clvspark.lakehouse.table import MONEY

_SUMS = ("purchases_before", "value_before", "purchases_after", "value_after")


@dataclass(frozen=True)
class Fold:
    """A holdout: `origin` is its first day, which no model of the fold has seen, `lag_days` before `as_of`."""

    origin: date
    lag_days: int


def list_folds(config: ClvConfig, as_of: date, first_purchase: date) -> list[Fold]:
    """Folds before whose origin somebody had bought, newest first."""
    folds = (Fold(as_of - timedelta(days=lag), lag) for lag in config.fold_lags_days)
    return [fold for fold in folds if first_purchase < fold.origin]


def count_windows(
    days: DataFrame,
    orders: DataFrame | None,
    *,
    origins: Sequence[date],
    window_days: int,
    value: Value,
) -> DataFrame:
    """Purchase days and value of each person in the window before and the window after each origin.

    In: history.person_day; history.order. Out: ``person_id, origin, purchases_before, value_before, purchases_after,
    value_after``, one row a person and origin that has any. The origin is the first day after. An order that was
    cancelled before its window ended is no purchase, as in history.clv_summary.
    """
    money = "margin" if value == "margin" else "net_revenue"
    origin = F.explode(F.array(*(F.lit(one) for one in sorted(set(origins))))).alias("origin")
    distance = F.date_diff("day", "origin")
    bought, after = F.col("orders") > 0, F.col("day") >= F.col("origin")
    ends = F.when(after, F.date_add("origin", window_days)).otherwise(F.col("origin"))
    near = days_as_known(days, orders).select("*", origin)
    near = near.where(distance.between(-window_days, window_days - 1) & (F.col("known_on") < ends))
    stood = near.groupBy("person_id", "origin", "day").agg(
        F.sum("orders").alias("orders"), F.sum(money).alias(money)
    )

    def worth(part: str, within: Column) -> Column:
        amount = F.when(within, F.col(money)).otherwise(F.lit(0))
        return F.sum(amount).cast(MONEY).cast("double").alias(part)

    found = stood.groupBy("person_id", "origin").agg(
        F.count_if(bought & ~after).cast("double").alias("purchases_before"),
        worth("value_before", ~after),
        F.count_if(bought & after).cast("double").alias("purchases_after"),
        worth("value_after", after),
    )
    return found.select("person_id", "origin", *_SUMS)


def join_windows(summaries: DataFrame, windows: DataFrame, *, as_of: date) -> DataFrame:
    """Purchase summaries as they were at the origins, with the sums of `count_windows`; 0 where nothing happened.

    Persons first seen in a holdout are left out: no model fitted before could have known them.
    """
    origin = F.date_sub(F.lit(as_of), F.col("lag_days"))
    dated = summaries.withColumn("origin", origin)
    joined = dated.join(windows, on=["person_id", "origin"], how="left")
    return joined.withColumns({name: F.coalesce(name, F.lit(0.0)) for name in _SUMS})
