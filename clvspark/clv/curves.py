"""The small frames that the plots of a model are drawn from, none of which grows with the customers."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.fit import DAYS_PER_UNIT
from clvspark.clv.label_models import ModelsByLabel, PurchaseModel, label_columns_of
from clvspark.clv.models.transactions import TRIPLE
from clvspark.history.tables import days_as_known

MOST_REPEATS = 7
"""Customers with so many repeat purchases or more are one group."""

# Columns of the heat map at most, each of whole weeks.
_GRID = 40


def count_daily(
    days: DataFrame, orders: DataFrame | None, *, origin: date, until: date
) -> pd.DataFrame:
    """First and repeat purchase days on each day before `until`, of everybody who had bought before `origin`.

    In: history.person_day; history.order. Out: ``day, first, repeats``, one row a day on which anything happened. An
    order that was cancelled before `until` is no purchase.
    """
    known = days_as_known(days, orders).where(F.col("known_on") < F.lit(until))
    stood = known.groupBy("person_id", "day").agg(F.sum("orders").alias("orders"))
    bought = stood.where("orders > 0")
    first = bought.groupBy("person_id").agg(F.min("day").alias("_first"))
    theirs = bought.join(first.where(F.col("_first") < F.lit(origin)), on="person_id", how="inner")
    is_first = F.col("day") == F.col("_first")
    counted = theirs.groupBy("day").agg(
        F.count_if(is_first).alias("first"), F.count_if(~is_first).alias("repeats")
    )
    return counted.orderBy("day").toPandas()


def track_purchases(model: PurchaseModel, daily: pd.DataFrame, *, until: date) -> pd.DataFrame:
    """Repeat purchases week by week: what came, and what the model expects of customers as new as these were then.

    In: `count_daily`. Out: ``week_on`` (its last day), ``actual, predicted`` of the week, ``cumulative_actual,
    cumulative_predicted``. Expected by a week are E[X(t)] of each day's new customers, t since that day (Fader, Hardie
    and Lee 2005, "Counting your customers the easy way", figure 3).
    """
    day = pd.to_datetime(daily["day"])
    start = day.min()
    offset = (day - start).dt.days.to_numpy()
    weeks = (pd.Timestamp(until) - start).days // 7
    ends = (
        np.arange(1, weeks + 1) * 7
    )  # days since the start; the last day of a week is the one before
    expected = np.append(
        0.0, model.expected_purchases_new_customer(t=np.arange(1, weeks * 7 + 1) / DAYS_PER_UNIT)
    )
    age = np.clip(ends[:, None] - 1 - offset[None, :], 0, None)
    cumulative = expected[age] @ daily["first"].to_numpy(float)
    actual = (offset[None, :] < ends[:, None]) @ daily["repeats"].to_numpy(float)
    return pd.DataFrame(
        {
            "week_on": start + pd.to_timedelta(ends - 1, unit="D"),
            "actual": np.diff(actual, prepend=0.0),
            "predicted": np.diff(cumulative, prepend=0.0),
            "cumulative_actual": actual,
            "cumulative_predicted": cumulative,
        }
    )


def average_by_repeats(
    cases: DataFrame, models: dict[str, PurchaseModel], *, holdout_days: int
) -> pd.DataFrame:
    """Mean purchases in the holdout by repeat purchases before it: ``repeats, customers, series, purchases``.

    In: rows of `join_windows` of one fold. `series` is ``actual`` or the name of a model.
    """
    repeats = F.least("frequency", F.lit(MOST_REPEATS)).alias("repeats")
    keys = [*TRIPLE, *label_columns_of(*models.values())]
    groups = cases.groupBy(repeats, *keys).agg(
        F.count(F.lit(1)).alias("customers"), F.sum("purchases_after").alias("actual")
    )
    histories = groups.toPandas().sort_values(keys, ignore_index=True)
    sums = histories[["repeats", "customers", "actual"]].copy()
    for name, model in models.items():
        future = model.expected_purchases(histories, future_t=holdout_days / DAYS_PER_UNIT)
        sums[name] = np.asarray(future) * histories["customers"]
    means = sums.groupby("repeats", as_index=False).sum()
    series = ["actual", *models]
    means[series] = means[series].div(means["customers"], axis=0)
    return means.melt(
        id_vars=["repeats", "customers"],
        value_vars=series,
        var_name="series",
        value_name="purchases",
    )


def grid_alive(model: PurchaseModel, *, weeks: int, most_repeats: int = 20) -> pd.DataFrame:
    """P(alive) of customers whose first purchase was `weeks` ago: ``repeats, last_purchase_week, p_alive``.

    Only histories that can be: a repeat purchase takes a day, none at all leaves the last purchase in week 0. Where
    labels tell customers apart, they are those whose labels are not known.
    """
    recency = np.arange(0.0, weeks + 1, math.ceil(weeks / _GRID))
    grid = pd.MultiIndex.from_product(
        [range(most_repeats + 1), recency], names=["frequency", "recency"]
    ).to_frame(index=False)
    possible = grid["recency"] * DAYS_PER_UNIT >= grid["frequency"]
    possible &= (grid["frequency"] > 0) | (grid["recency"] == 0)
    rows = grid[possible].assign(T=float(weeks)).reset_index(drop=True)
    asked = model.typical if isinstance(model, ModelsByLabel) else model
    alive = np.asarray(asked.expected_probability_alive(rows))
    return pd.DataFrame(
        {
            "repeats": rows["frequency"],
            "last_purchase_week": rows["recency"],
            "p_alive": np.clip(alive, 0.0, 1.0),
        }
    )
