"""Goals of moments within `measure`: observe the journeys whose days are over, compare the groups of all so far."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.tables import ASSIGNMENT
from clvspark.audiences.moments.tables import JOURNEY
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY, SESSION
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse import Lakehouse, Run
from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.experiments import compare_groups, comparison_schema
from clvspark.measurement.goals import (
    add_goals,
    judge_goals,
    list_goals,
    list_participants,
    observe_goals,
    open_goals,
    unite_values,
)
from clvspark.measurement.outcomes import PREDICTED, list_visits, tabulate_outcomes
from clvspark.measurement.plan import Goal, Valuation
from clvspark.measurement.tables import JOURNEY_OUTCOME, MOMENT_GOAL

Rows = list[dict[str, Any]]
GOAL_TABLES = (JOURNEY_OUTCOME, MOMENT_GOAL)


def measure_goals(
    run: Run,
    lake: Lakehouse,
    config: MeasurementConfig,
    goals: Mapping[str, Goal],
    as_of: date,
    *,
    last: date | None,
    valuation: Valuation | None,
) -> Rows:
    """Write what journeys came to whose days are over; return the rows of measurement.moment_goal of the date.

    They are journeys that were entered by `as_of`. As for experiments, days are over up to `last`, the newest with
    orders, whichever the date, and a run of a date looks at those again that were entered on it.
    """
    until = date.min if last is None else last + timedelta(days=1)
    spark = lake.spark
    wanted = list_goals(spark, goals)
    participants = list_participants(
        lake.read_or_empty(JOURNEY), lake.read_or_empty(ASSIGNMENT), lake.read_or_empty(ALIAS)
    )
    entered = F.col("entered_on") <= F.lit(as_of)
    over = add_goals(participants, wanted).where(entered & (F.col("until") <= F.lit(until)))
    key = list(JOURNEY_OUTCOME.key)
    observed = lake.read_or_empty(JOURNEY_OUTCOME).select(*key, F.lit(True).alias("_observed"))
    again = F.col("_observed").isNull() | (F.col("entered_on") == F.lit(as_of))
    new = over.join(observed, on=key, how="left").where(again).drop("_observed").localCheckpoint()
    values, waiting = _value(lake, new, valuation)
    found = observe_goals(
        new.where((F.col("measure") != PREDICTED) | ~F.col("begins_on").isin(waiting)),
        lake.read(PERSON_DAY),
        list_visits(lake.read(ORDER), lake.read_or_empty(SESSION), lake.read_or_empty(INTERACTION)),
        unite_values(spark, values),
    )
    run.merge(JOURNEY_OUTCOME, found)
    known = lake.read(JOURNEY_OUTCOME).join(F.broadcast(wanted), on=list(wanted.columns))
    return _judge(known.where(entered), goals, config, as_of)


def _value(
    lake: Lakehouse, new: DataFrame, valuation: Valuation | None
) -> tuple[list[tuple[date, date, DataFrame]], list[date]]:
    """Values by the models known at the beginning, and beginnings that wait as no model had been fitted by then."""
    priced = new.where(F.col("measure") == PREDICTED)
    dates = sorted(tuple(row) for row in priced.select("begins_on", "until").distinct().collect())
    values, waiting = [], []
    for begins, until in dates:
        same = (F.col("begins_on") == F.lit(begins)) & (F.col("until") == F.lit(until))
        theirs = priced.where(same)
        worth = None if valuation is None else valuation.value_on(lake, theirs, begins, until)
        if worth is None:
            waiting.append(begins)
        else:
            values.append((begins, until, worth))
    return values, waiting


def _judge(
    known: DataFrame, goals: Mapping[str, Goal], config: MeasurementConfig, as_of: date
) -> Rows:
    """Rows of measurement.moment_goal. In: measurement.journey_outcome by the goals of today."""
    outcomes = known.select("moment_id", "split_group", F.col("value").alias("exact"))
    table = tabulate_outcomes(outcomes, ["moment_id"]).localCheckpoint()
    sizes = table.groupBy("moment_id", "split_group").agg(F.sum("persons").alias("persons"))
    counts = [row.asDict() for row in sizes.collect()]
    opened = open_goals(goals, counts, as_of=as_of, min_persons=config.min_persons)
    measured = [row["moment_id"] for row in opened if row["status"] == "measured"]
    large = table.where(F.col("moment_id").isin(measured)).groupBy("moment_id")
    compared = large.applyInPandas(compare_groups, comparison_schema("moment_id"))
    return judge_goals(opened, [row.asDict() for row in compared.collect()] if measured else [])
