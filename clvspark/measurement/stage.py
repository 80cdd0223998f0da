"""Measure: what followed an activation -> `measurement.experiment` and what is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from pyspark.sql import DataFrame

from clvspark.activation.tables import ASSIGNMENT
from clvspark.audiences.moments.tables import JOURNEY
from clvspark.audiences.tables import (
    DECILE,
    MEMBERSHIP_EVENT,
)
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY, SESSION
from clvspark.identity.tables import ALIAS, PERSON_LINK
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.dates import rows_of, rows_of_dates
from clvspark.lakehouse.side_by_side import all_of
from clvspark.lakehouse.table import Table
from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.due import (
    list_due,
    list_unseen,
    name_day,
    read_last_order_day,
    read_today,
)
from clvspark.measurement.experiment_stage import Experiments
from clvspark.measurement.goal_stage import GOAL_TABLES, measure_goals
from clvspark.measurement.outcomes import count_days_observed
from clvspark.measurement.plan import Goal, HoldoutPlan, Valuation
from clvspark.measurement.tables import (
    EFFECT,
    EXPERIMENT,
    EXPERIMENT_SEGMENT,
    INCREMENTAL_VALUE,
    MOMENT_GOAL,
    POWER,
    TARGETING,
    WINDOW,
)

MEASURE_STAGE = "measure"


_READS = (
    ASSIGNMENT,
    PERSON_LINK,
    ALIAS,
    PERSON_DAY,
    ORDER,
    SESSION,
    INTERACTION,
    MEMBERSHIP_EVENT,
    CUSTOMER_VALUE,
    DECILE,
)
_WRITES = (
    WINDOW,
    EXPERIMENT,
    INCREMENTAL_VALUE,
    EXPERIMENT_SEGMENT,
    EFFECT,
    POWER,
    TARGETING,
)


def run_measure(
    lake: Lakehouse,
    config: MeasurementConfig,
    as_of: date,
    *,
    plan: HoldoutPlan,
    valuation: Valuation | None = None,
    goals: Mapping[str, Goal] | None = None,
) -> RunReport:
    """Judge treatment against holdout in the window after the activation of `as_of`, and what could be found.

    So are activations of earlier dates whose window has come to its end since they were last looked at: the run of a
    day finds its own window just begun, and that of a month ago finished.

    `plan` is the holdout that activation means to keep. Without `valuation` the predicted value is not an outcome.
    `goals` are those of the moments that there are, by their ids.
    """
    goals = goals or {}
    today = read_today()
    also = {**name_day(today, as_of=as_of, window_days=config.window_days), "plan": plan.basis}
    reads: tuple[Table, ...] = _READS
    writes: tuple[Table, ...] = _WRITES
    if goals:
        also["goals"] = str(sorted(goals.items()))
        reads, writes = (*reads, JOURNEY), (*writes, *GOAL_TABLES)
    if valuation is not None:
        also["valuation"] = valuation.basis
        reads += tuple(table for table in valuation.reads if table not in _READS)
    with lake.run(
        MEASURE_STAGE, as_of=as_of, config=config, reads=reads, writes=writes, also=also
    ) as run:
        if not run.is_current:
            last = read_last_order_day(lake, today=today)
            windows = lake.read_or_empty(WINDOW)
            unseen = list_unseen(
                lake.read(ASSIGNMENT), windows, last, as_of=as_of, window_days=config.window_days
            )
            dates = [*sorted({*list_due(windows, last, as_of=as_of), *unseen}), as_of]
            found: dict[Table, list[dict[str, Any]]] = {table: [] for table in _WRITES}
            for day in dates:
                for table, rows in _judge(run, lake, config, day, last, plan, valuation).items():
                    found[table] += rows
            frames = {table: _rows(lake, table, rows) for table, rows in found.items()}
            run.overwrite_all(frames, where=rows_of_dates(dates), cached=True)
            run.metric("windows_finished", len(dates) - 1)
            if goals:
                rows = measure_goals(
                    run, lake, config, goals, as_of, last=last, valuation=valuation
                )
                run.overwrite(MOMENT_GOAL, _rows(lake, MOMENT_GOAL, rows), where=rows_of(as_of))
    return run.report


def _judge(
    run: Run,
    lake: Lakehouse,
    config: MeasurementConfig,
    as_of: date,
    last: date | None,
    plan: HoldoutPlan,
    valuation: Valuation | None,
) -> dict[Table, list[dict[str, Any]]]:
    """Rows of all tables that tell of the activation of one date. In: the last day that orders are known of."""
    observed = count_days_observed(last, as_of=as_of, window_days=config.window_days)
    window = {"as_of_date": as_of, "window_days": config.window_days}
    window |= {"days_observed": observed, "last_order_on": last}
    work = Experiments(lake, config, as_of, plan, valuation)
    judged, power = all_of(lambda: work.judge(run, observed), work.foresee)
    return {WINDOW: [window], **judged, POWER: power}


def _rows(lake: Lakehouse, table: Table, rows: Iterable[dict[str, Any]]) -> DataFrame:
    given = [tuple(row[name] for name in table.names) for row in rows]
    return lake.spark.createDataFrame(given, table.schema).coalesce(1)
