"""Whether moments reach their goals: journeys of treatment against those of the holdout, each by its own days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.identity.tables import resolve_aliases
from clvspark.lakehouse.dates import day_of_acting
from clvspark.lakehouse.table import MONEY
from clvspark.measurement.experiments import Rows, correct_family, read_measures
from clvspark.measurement.outcomes import (
    PREDICTED,
    REALISED,
    number_of_visits,
    sums_of_days,
)
from clvspark.measurement.plan import Goal
from clvspark.measurement.tables import JOURNEY_OUTCOME, MOMENT_GOAL

# Goals by the names that outcomes have.
_OUTCOMES = {"orders": "purchases", "net_revenue": "revenue"}
_PERSON = ["moment_id", "person_id"]
_VALUED = ("person_id", "begins_on", "until")


def list_participants(journeys: DataFrame, assigned: DataFrame, aliases: DataFrame) -> DataFrame:
    """The first journey of each person of today through a moment, if they were dealt into a group on it.

    In: audiences.journey; activation.assignment; identity.alias. Out: ``journey_id, moment_id, person_id, split_group,
    entered_on, begins_on``, the first day that counts: that of the entry, or the day before where the first step was
    told on it, as in the stream. The group is that of the first step that was due; nothing was sent before it, so that
    nothing of what was sent decides who is compared. Who has had a journey before has been acted upon, and does not
    count again.
    """
    first = F.min_by(
        F.struct("journey_id", "entered_on", "ends_on"), F.struct("entered_on", "journey_id")
    )
    own = resolve_aliases(journeys, aliases).groupBy(*_PERSON).agg(first.alias("_first"))
    steps = assigned.where("audience_id LIKE '%.%'").select(
        F.substring_index("audience_id", ".", 1).alias("moment_id"),
        "person_id",
        "split_group",
        "as_of_date",
        day_of_acting().alias("acted_on"),
    )
    steps = steps.join(F.broadcast(own.select("moment_id").distinct()), on="moment_id")
    # Of two groups of one day, as of persons who turned out to be one, the holdout comes first.
    dealt = F.min(F.struct("as_of_date", "split_group", "acted_on")).alias("_dealt")
    groups = resolve_aliases(steps, aliases).groupBy(*_PERSON).agg(dealt)
    on_it = F.col("_dealt.as_of_date").between(F.col("_first.entered_on"), F.col("_first.ends_on"))
    return (
        own.join(groups, on=_PERSON)
        .where(on_it)
        .select(
            "_first.journey_id",
            *_PERSON,
            "_dealt.split_group",
            "_first.entered_on",
            F.least("_first.entered_on", "_dealt.acted_on").alias("begins_on"),
        )
    )


def list_goals(spark: SparkSession, goals: Mapping[str, Goal]) -> DataFrame:
    """``moment_id, measure, within_days`` of each moment."""
    rows = [(moment, goal.measure, goal.within_days) for moment, goal in sorted(goals.items())]
    return spark.createDataFrame(rows, "moment_id string, measure string, within_days int")


def add_goals(participants: DataFrame, goals: DataFrame) -> DataFrame:
    """Add the goal, as `list_goals` has it, and ``until``, the day after the last that counts."""
    until = F.date_add("begins_on", F.col("within_days")).alias("until")
    return participants.join(F.broadcast(goals), on="moment_id").select("*", until)


def observe_goals(
    over: DataFrame, days: DataFrame, visits: DataFrame, values: DataFrame
) -> DataFrame:
    """What the goal measures, of journeys whose days are over, as measurement.journey_outcome.

    In: rows of `add_goals`; history.person_day; rows of `list_visits`; rows of `unite_values`. Who did nothing has 0.
    """

    def within(rows: DataFrame, *sums: Column) -> DataFrame:
        here = (F.col("day") >= F.col("begins_on")) & (F.col("day") < F.col("until"))
        own = over.select("journey_id", "person_id", "begins_on", "until")
        return own.join(rows, on="person_id").where(here).groupBy("journey_id").agg(*sums)

    found = (
        over.join(within(days, *sums_of_days()), on="journey_id", how="left")
        .join(within(visits, number_of_visits()), on="journey_id", how="left")
        .join(values, on=[*_VALUED], how="left")
    )
    outcomes = [
        F.when(F.col("measure") == _goal_name(name), F.col(name).cast(MONEY))
        for name in (*REALISED, PREDICTED)
    ]
    value = F.coalesce(*outcomes, F.lit(0).cast(MONEY)).alias("value")
    return found.withColumn("value", value).select(*JOURNEY_OUTCOME.names)


def open_goals(
    goals: Mapping[str, Goal],
    counts: Iterable[Mapping[str, Any]],
    *,
    as_of: date,
    min_persons: int,
) -> Rows:
    """Rows of measurement.moment_goal, one a moment, not judged yet.

    In: ``moment_id, split_group, persons`` whose days are over.
    """
    persons = {(row["moment_id"], row["split_group"]): int(row["persons"]) for row in counts}
    rows = []
    for moment, goal in sorted(goals.items()):
        treated, held = (persons.get((moment, group), 0) for group in ("treatment", "holdout"))
        enough = "measured" if min(treated, held) >= min_persons else "too_few_persons"
        facts = {
            "as_of_date": as_of,
            "moment_id": moment,
            "measure": goal.measure,
            "within_days": goal.within_days,
            "status": enough if treated + held else "not_yet_observed",
            "treatment_persons": treated,
            "holdout_persons": held,
        }
        rows.append({**dict.fromkeys(MOMENT_GOAL.names), **facts})
    return rows


def judge_goals(opened: Rows, comparisons: Iterable[Mapping[str, Any]]) -> Rows:
    """Fill in what was measured, p-values corrected over the moments. In: rows of `experiments.compare_groups`."""
    found = {row["moment_id"]: row for row in comparisons}
    judged = [
        row | read_measures(found[row["moment_id"]]) if row["status"] == "measured" else row
        for row in opened
    ]
    correct_family([row for row in judged if row["status"] == "measured"])
    return judged


def unite_values(spark: SparkSession, values: Iterable[tuple[date, date, DataFrame]]) -> DataFrame:
    """``person_id, begins_on, until, residual_value`` of who had bought by the end of their days.

    In: first day that counts, day after the last that counts, and what `plan.Valuation` says of them.
    """
    parts = [
        rows.select(
            "person_id",
            F.lit(begins).alias("begins_on"),
            F.lit(until).alias("until"),
            F.col(PREDICTED).cast(MONEY).alias(PREDICTED),
        )
        for begins, until, rows in values
    ]
    schema = f"person_id string, begins_on date, until date, {PREDICTED} {MONEY}"
    return reduce(DataFrame.unionByName, parts, spark.createDataFrame([], schema))


def _goal_name(outcome: str) -> str:
    return next((name for name, of in _OUTCOMES.items() if of == outcome), outcome)
