"""What the persons of an experiment did in the window: how often each outcome occurs in each group."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.history.tables import standing_orders
from clvspark.lakehouse.table import MONEY
from clvspark.measurement.people import BEFORE

REALISED = ("margin", "revenue", "purchases", "visits")
PREDICTED = "residual_value"
OUTCOMES = (*REALISED, PREDICTED)
"""Outcomes of a person; what came true and what is predicted stand side by side and are never added."""
COUNTS = ("persons", "total", "squares")
# Of what is left of an outcome once CUPED has explained a part of it.
_FINE = "decimal(18,4)"


def last_order_day(orders: DataFrame, *, until: date) -> DataFrame:
    """One row, ``last_order_on``: the newest day up to `until` on which anybody bought or returned something.

    In: history.order. What is dated after the day on which we look, as by a till whose clock is wrong, tells nothing
    about the days before it.
    """
    day = F.to_date("ordered_at")
    return orders.where(day <= F.lit(until)).agg(F.max(day).alias("last_order_on"))


def count_days_observed(last_day: date | None, *, as_of: date, window_days: int) -> int:
    """Days of the window ``[as_of, as_of + window_days)`` that data are known of, up to the last day with any."""
    if last_day is None:
        return 0
    return max(0, min(window_days, (last_day - as_of).days + 1))


def list_visits(orders: DataFrame, sessions: DataFrame, interactions: DataFrame) -> DataFrame:
    """Days on which a person was there, on whatever channel: ``person_id, day``, one row a day.

    In: history.order, history.session, history.interaction. A day counts with a session on the web or in an app, a
    visit of a store, or a purchase.
    """
    parts = (
        sessions.select("person_id", F.to_date("started_at").alias("day")),
        interactions.where("interaction_type = 'store_visit'").select(
            "person_id", F.to_date("occurred_at").alias("day")
        ),
        orders.where("is_purchase").select("person_id", F.to_date("ordered_at").alias("day")),
    )
    found = parts[0].unionByName(parts[1]).unionByName(parts[2])
    return found.where("person_id IS NOT NULL").distinct()


def gather_outcomes(
    people: DataFrame,
    days: DataFrame,
    visits: DataFrame,
    values: DataFrame | None,
    *,
    start: date,
    window_days: int,
) -> DataFrame:
    """The persons with what each did in ``[start, start + window_days)``, `OUTCOMES`, as exact decimals.

    In: any rows with ``person_id``; history.person_day; rows of `list_visits`; ``person_id, residual_value`` at the
    end of the window. Who did nothing has 0, and so has who had not bought by the end in the predicted value; that
    is NULL for everybody where there are no values. An order counts as a purchase unless it was cancelled.
    """

    def within(rows: DataFrame) -> DataFrame:
        day = F.col("day")
        until = start + timedelta(days=window_days)
        return rows.where((day >= F.lit(start)) & (day < F.lit(until)))

    sums = within(days).groupBy("person_id").agg(*sums_of_days())
    seen = within(visits).groupBy("person_id").agg(number_of_visits())
    nothing = F.lit(0).cast(MONEY)
    known = {name: F.coalesce(name, nothing) for name in REALISED}
    if values is None:
        worth = people.withColumn(PREDICTED, F.lit(None).cast(MONEY))
    else:
        priced = values.select("person_id", F.col(PREDICTED).cast(MONEY).alias("_value"))
        worth = people.join(priced, on="person_id", how="left")
        worth = worth.withColumn(PREDICTED, F.coalesce("_value", nothing)).drop("_value")
    joined = worth.join(sums, on="person_id", how="left").join(seen, on="person_id", how="left")
    return joined.withColumns(known).select(*people.columns, *OUTCOMES)


def sums_of_days() -> tuple[Column, ...]:
    """``margin, revenue, purchases`` of a group of rows of history.person_day."""
    return (
        F.sum("margin").cast(MONEY).alias("margin"),
        F.sum("net_revenue").cast(MONEY).alias("revenue"),
        standing_orders().cast(MONEY).alias("purchases"),
    )


def number_of_visits() -> Column:
    """``visits`` of a group of rows of `list_visits`."""
    return F.count(F.lit(1)).cast(MONEY).alias("visits")


def list_outcomes(judged: DataFrame, *keys: str) -> DataFrame:
    """One row a person and outcome: ``audience_id``, `keys`, ``outcome, split_group, exact`` and the covariate.

    In: rows of `gather_outcomes` with those of `join_descriptions`. An outcome that is not known has no rows.
    """
    ids = ("audience_id", *keys, "split_group", BEFORE)
    exact = judged.select(*ids, *OUTCOMES).unpivot(ids, OUTCOMES, "outcome", "exact")
    return exact.where("exact IS NOT NULL")


def tabulate_outcomes(outcomes: DataFrame, keys: Sequence[str]) -> DataFrame:
    """How often each outcome occurs, by `keys` and group.

    In: `keys`, ``split_group, exact``, a decimal. Out: `keys`, ``split_group, value, persons, total, squares``; `value`
    is the outcome to two significant digits, so that there are a few hundred rows a group however many persons;
    `total` and `squares` are exact sums.
    """
    exact = F.col("exact").cast(_FINE)
    value = _two_digits(exact.cast("double")).alias("value")
    return outcomes.groupBy(*keys, "split_group", value).agg(
        F.count(F.lit(1)).alias("persons"),
        F.sum(exact).cast("double").alias("total"),
        F.sum(exact * exact).cast("double").alias("squares"),
    )


def _two_digits(value: Column) -> Column:
    unit = F.pow(F.lit(10.0), F.floor(F.log10(F.abs(value))) - 1)
    return F.when(value == 0, F.lit(0.0)).otherwise(F.round(value / unit) * unit)
