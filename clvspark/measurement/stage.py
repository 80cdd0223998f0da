"""Responses and measure: what followed an activation -> `measurement.*`."""

from __future__ import annotations

from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.tables import HOLDOUT
from clvspark.audiences.tables import DECILE, MEMBERSHIP
from clvspark.history.tables import INTERACTION, PERSON_DAY
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.lakehouse.table import Table
from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.experiments import compare_groups, incremental_values, sum_outcomes
from clvspark.measurement.responses import join_responses
from clvspark.measurement.tables import EXPERIMENT, INCREMENTAL_VALUE, RESPONSE

RESPONSES_STAGE, MEASURE_STAGE = "responses", "measure"


def run_responses(lake: Lakehouse, config: MeasurementConfig, as_of: date) -> RunReport:
    """Join the responses of the window after `as_of` to audiences and deciles."""
    reads = (INTERACTION, MEMBERSHIP, DECILE)
    with lake.run(
        RESPONSES_STAGE, as_of=as_of, config=config, reads=reads, writes=(RESPONSE,)
    ) as run:
        if not run.is_current:
            found = join_responses(
                lake.read(INTERACTION),
                _members(lake, as_of),
                lake.read(DECILE),
                as_of=as_of,
                window_days=config.window_days,
            )
            run.overwrite(RESPONSE, found, where=_of(as_of))
    return run.report


def run_measure(lake: Lakehouse, config: MeasurementConfig, as_of: date) -> RunReport:
    """Judge the activation of `as_of`: treatment against holdout in the window after it."""
    reads, writes = (MEMBERSHIP, HOLDOUT, PERSON_DAY), (EXPERIMENT, INCREMENTAL_VALUE)
    with lake.run(MEASURE_STAGE, as_of=as_of, config=config, reads=reads, writes=writes) as run:
        if not run.is_current:
            people = _members(lake, as_of).join(
                lake.read(HOLDOUT).select("person_id", "split_group"), on="person_id"
            )
            sums = sum_outcomes(
                people, lake.read(PERSON_DAY), as_of=as_of, window_days=config.window_days
            )
            experiments = compare_groups(
                [row.asDict() for row in sums.collect()], config, as_of=as_of
            )
            run.overwrite(EXPERIMENT, _rows(lake, EXPERIMENT, experiments), where=_of(as_of))
            run.overwrite(
                INCREMENTAL_VALUE,
                _rows(lake, INCREMENTAL_VALUE, incremental_values(experiments)),
                where=_of(as_of),
            )
    return run.report


def _members(lake: Lakehouse, as_of: date) -> DataFrame:
    """Who was in an audience on `as_of`, whatever happened since."""
    day = F.lit(as_of)
    entered = F.col("qualified_on") <= day
    still_in = F.col("exited_on").isNull() | (F.col("exited_on") > day)
    return lake.read(MEMBERSHIP).where(entered & still_in).select("audience_id", "person_id")


def _rows(lake: Lakehouse, table: Table, rows: list[dict[str, Any]]) -> DataFrame:
    return lake.spark.createDataFrame(
        [tuple(row[name] for name in table.names) for row in rows], table.schema
    )


def _of(as_of: date) -> str:
    return f"as_of_date = DATE'{as_of}'"
