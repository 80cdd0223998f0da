"""Responses and measure: what followed an activation -> `measurement.*`."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.tables import ASSIGNMENT
from clvspark.audiences.tables import (
    DECILE,
    MEMBERSHIP_EVENT,
    members_of_today,
    members_on,
    ranks_of_today,
)
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY
from clvspark.identity.tables import ALIAS, PERSON_LINK
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.table import Table
from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.experiments import (
    COMPARISON_SCHEMA,
    compare_groups,
    incremental_values,
    judge_experiments,
    open_experiments,
)
from clvspark.measurement.outcomes import (
    count_days_observed,
    follow_persons,
    last_order_day,
    tabulate_outcomes,
)
from clvspark.measurement.responses import join_responses
from clvspark.measurement.tables import EXPERIMENT, INCREMENTAL_VALUE, RESPONSE, WINDOW

RESPONSES_STAGE, MEASURE_STAGE = "responses", "measure"


def run_responses(lake: Lakehouse, config: MeasurementConfig, as_of: date) -> RunReport:
    """Join the responses of the window after `as_of` to audiences and deciles."""
    reads = (INTERACTION, MEMBERSHIP_EVENT, DECILE, ALIAS)
    with lake.run(
        RESPONSES_STAGE, as_of=as_of, config=config, reads=reads, writes=(RESPONSE,)
    ) as run:
        if not run.is_current:
            aliases = lake.read_or_empty(ALIAS)
            members = members_on(lake.read(MEMBERSHIP_EVENT), as_of)
            found = join_responses(
                lake.read(INTERACTION),
                members_of_today(members, aliases),
                ranks_of_today(lake.read(DECILE), aliases, as_of),
                as_of=as_of,
                window_days=config.window_days,
            )
            run.overwrite(RESPONSE, found, where=rows_of(as_of))
    return run.report


def run_measure(lake: Lakehouse, config: MeasurementConfig, as_of: date) -> RunReport:
    """Judge the activation of `as_of`: treatment against holdout in the window after it."""
    reads = (ASSIGNMENT, PERSON_LINK, PERSON_DAY, ORDER)
    writes = (WINDOW, EXPERIMENT, INCREMENTAL_VALUE)
    # Orders of days to come are nothing observed; with the window the days that count are over.
    today = datetime.now(UTC).date()
    over = as_of + timedelta(days=config.window_days)
    also = {"today": str(min(today, over))}
    with lake.run(
        MEASURE_STAGE, as_of=as_of, config=config, reads=reads, writes=writes, also=also
    ) as run:
        if not run.is_current:
            last = last_order_day(lake.read(ORDER), until=today).collect()[0][0]
            observed = count_days_observed(last, as_of=as_of, window_days=config.window_days)
            window = {"as_of_date": as_of, "window_days": config.window_days}
            window |= {"days_observed": observed, "last_order_on": last}
            experiments = _judge(lake, config, as_of, observed)
            found = {
                WINDOW: [window],
                EXPERIMENT: experiments,
                INCREMENTAL_VALUE: incremental_values(experiments),
            }
            frames = {table: _rows(lake, table, rows) for table, rows in found.items()}
            run.overwrite_all(frames, where=rows_of(as_of))
    return run.report


def _judge(
    lake: Lakehouse, config: MeasurementConfig, as_of: date, days_observed: int
) -> list[dict[str, Any]]:
    """Rows of measurement.experiment; of the persons, only counts and results reach the driver."""
    assigned = lake.read(ASSIGNMENT).where(F.col("as_of_date") == F.lit(as_of))
    people = follow_persons(assigned, lake.read(PERSON_LINK)).localCheckpoint()
    sizes = people.groupBy("audience_id", "split_group").agg(F.count(F.lit(1)).alias("persons"))
    opened = open_experiments(
        [row.asDict() for row in sizes.collect()], config, as_of=as_of, days_observed=days_observed
    )
    measured = sorted({row["audience_id"] for row in opened if row["status"] == "measured"})
    if not measured:
        return opened
    outcomes = tabulate_outcomes(
        people.where(F.col("audience_id").isin(*measured)),
        lake.read(PERSON_DAY),
        as_of=as_of,
        window_days=config.window_days,
    )
    compared = outcomes.groupBy("audience_id", "outcome").applyInPandas(
        compare_groups, COMPARISON_SCHEMA
    )
    return judge_experiments(opened, [row.asDict() for row in compared.collect()])


def _rows(lake: Lakehouse, table: Table, rows: list[dict[str, Any]]) -> DataFrame:
    return lake.spark.createDataFrame(
        [tuple(row[name] for name in table.names) for row in rows], table.schema
    )
