"""What the persons of an experiment did in the window: how often each outcome occurs in each group."""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.history.tables import standing_orders
from clvspark.identity.tables import current_links
from clvspark.lakehouse.table import MONEY

OUTCOMES = ("margin", "revenue", "purchases")


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


def follow_persons(assigned: DataFrame, links: DataFrame) -> DataFrame:
    """The persons that the assigned ones are today: ``audience_id, person_id, split_group``.

    In: activation.assignment of one date; identity.person_link with its history. A person who has been absorbed
    since is the one who has most of their records now; where that one was assigned too, their own group counts.
    """
    current = current_links(links)
    alive = current.select("person_id").distinct().withColumn("_alive", F.lit(True))
    marked = assigned.join(alive, on="person_id", how="left")
    gone = marked.where("_alive IS NULL").select("person_id").distinct()
    record = ["source_system", "source_record_id"]
    had = links.join(F.broadcast(gone), on="person_id").select(
        *record, F.col("person_id").alias("_was")
    )
    moved = had.distinct().join(current.select(*record, "person_id"), on=record)
    counted = moved.groupBy("_was", "person_id").agg(F.count(F.lit(1)).alias("_records"))
    heir = counted.groupBy("_was").agg(
        F.max_by("person_id", F.struct("_records", "person_id")).alias("_heir")
    )
    now = marked.join(heir, F.col("person_id") == F.col("_was"), "left")
    first = F.min_by("split_group", F.struct(F.col("_heir").isNotNull(), "person_id"))
    person = F.coalesce("_heir", "person_id").alias("_person")
    people = now.groupBy("audience_id", person).agg(first.alias("split_group"))
    return people.select("audience_id", F.col("_person").alias("person_id"), "split_group")


def tabulate_outcomes(
    people: DataFrame, days: DataFrame, *, as_of: date, window_days: int
) -> DataFrame:
    """How often each outcome occurs, by audience and group.

    In: ``audience_id, person_id, split_group`` of everyone assigned; history.person_day. Out: ``audience_id,
    outcome, split_group, value, persons, total, squares``; `value` is the outcome to two significant digits, so
    that there are a few hundred rows a group however many persons; `total` and `squares` are exact sums.
    Purchases are those of the window less what was cancelled in it, whenever that was bought, as revenue and margin
    are.
    """
    end = as_of + timedelta(days=window_days)
    window = days.where((F.col("day") >= F.lit(as_of)) & (F.col("day") < F.lit(end)))
    sums = window.groupBy("person_id").agg(
        F.sum("margin").cast(MONEY).alias("margin"),
        F.sum("net_revenue").cast(MONEY).alias("revenue"),
        standing_orders().cast(MONEY).alias("purchases"),
    )
    nothing = F.lit(0).cast(MONEY)
    judged = people.join(sums, on="person_id", how="left").select(
        "audience_id", "split_group", *(F.coalesce(name, nothing).alias(name) for name in OUTCOMES)
    )
    long = judged.unpivot(["audience_id", "split_group"], list(OUTCOMES), "outcome", "exact")
    exact = F.col("exact")
    return long.groupBy(
        "audience_id", "outcome", "split_group", _two_digits(exact.cast("double")).alias("value")
    ).agg(
        F.count(F.lit(1)).alias("persons"),
        F.sum(exact).cast("double").alias("total"),
        F.sum(exact * exact).cast("double").alias("squares"),
    )


def _two_digits(value: Column) -> Column:
    unit = F.pow(F.lit(10.0), F.floor(F.log10(F.abs(value))) - 1)
    return F.when(value == 0, F.lit(0.0)).otherwise(F.round(value / unit) * unit)
