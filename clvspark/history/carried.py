"""Summaries of an earlier date go on as those of a later one: only what has changed since is summed up anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.history.clv_summary import summarise_purchases
from clvspark.history.tables import CLV_SUMMARY
from clvspark.lakehouse.subsets import rows_among, rows_beside


def carry_summaries(
    before: DataFrame,
    days: DataFrame,
    late_changes: DataFrame,
    renewed: DataFrame,
    *,
    since: date,
    as_of: date,
    lags_days: Sequence[int],
) -> DataFrame:
    """The rows of `summarise_purchases`, most of them from those of an earlier date.

    In: history.clv_summary as of `since`, with the same lags; history.person_day; rows of `list_late_changes`;
    ``person_id`` of those whose days have changed since. Out: history.clv_summary as of `as_of`. Of everybody else
    about whom no lag sees another day than it did, T alone has grown.
    """
    touched = _list_movers(days, since=since, as_of=as_of, lags_days=lags_days)
    touched = touched.unionByName(renewed).distinct().localCheckpoint(eager=False)
    anew = summarise_purchases(
        rows_among(days, touched, "person_id"),
        as_of=as_of,
        lags_days=lags_days,
        late_changes=rows_among(late_changes, touched, "person_id"),
    )
    grown = {
        "as_of_date": F.lit(as_of),
        "t_days": (F.col("t_days") + (as_of - since).days).cast("int"),
    }
    kept = rows_beside(before, touched, "person_id").withColumns(grown)
    return anew.unionByName(kept.select(*CLV_SUMMARY.names))


def _list_movers(
    days: DataFrame, *, since: date, as_of: date, lags_days: Sequence[int]
) -> DataFrame:
    """Persons with a purchase, or a change of one, on a day that has come into the view of some lag since."""
    came = [_is_between(since, as_of, lag) for lag in sorted(set(lags_days))]
    counts = "orders > 0 OR refunds > 0 OR cancellations > 0 OR net_revenue <> 0 OR margin <> 0"
    return days.where(reduce(Column.__or__, came)).where(counts).select("person_id")


def _is_between(since: date, as_of: date, lag: int) -> Column:
    first, end = (day - timedelta(days=lag) for day in (since, as_of))
    return (F.col("day") >= F.lit(first)) & (F.col("day") < F.lit(end))
