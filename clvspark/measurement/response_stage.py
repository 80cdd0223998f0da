"""Responses: what people did since a list went out -> `measurement.response`, by what changed since the last run."""

from __future__ import annotations

from datetime import UTC, date, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.tables import (
    DECILE,
    MEMBERSHIP_EVENT,
    members_of_today,
    members_on,
    ranks_of_today,
)
from clvspark.history.tables import INTERACTION, ORDER
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.compare import compare_rows
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.side_by_side import keep_all
from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.due import list_due, name_day, read_last_order_day, read_today
from clvspark.measurement.responses import join_responses, list_touched
from clvspark.measurement.tables import CHECKPOINT, RESPONSE, WINDOW

STAGE = "responses"
READS = (INTERACTION, ORDER, MEMBERSHIP_EVENT, DECILE, ALIAS)


def run(lake: Lakehouse, config: MeasurementConfig, as_of: date) -> RunReport:
    """Join the responses of the window after `as_of` to audiences and deciles.

    So are those of earlier dates whose window has come to its end since `measure` last looked at it.

    Only persons whom a change since the last checkpoint can reach are joined anew; everybody, where configuration or
    code have changed or a change feed does not reach back. measurement.checkpoint says how far it has come, also
    where the run failed: the next one begins there again.
    """
    today = read_today()
    also = name_day(today, as_of=as_of, window_days=config.window_days)
    with lake.run(
        STAGE, as_of=as_of, config=config, reads=READS, writes=(RESPONSE, CHECKPOINT), also=also
    ) as run:
        if not run.is_current:
            last = read_last_order_day(lake, today=today)
            for day in (*list_due(lake.read_or_empty(WINDOW), last, as_of=as_of), as_of):
                _join(run, lake, config, day)
    return run.report


def _join(run: Run, lake: Lakehouse, config: MeasurementConfig, as_of: date) -> None:
    """Responses of one date, and how far they have come."""
    known = _read_checkpoint(lake, as_of)
    try:
        mode = _respond(run, lake, config, as_of, known)
    except BaseException:
        run.append(CHECKPOINT, _checkpoints(lake, as_of, "failed", None, known))
        raise
    done = {name: version for name, version in run.input_versions.items() if version is not None}
    run.append(CHECKPOINT, _checkpoints(lake, as_of, "success", mode, done))


def _respond(
    run: Run, lake: Lakehouse, config: MeasurementConfig, as_of: date, known: dict[str, int]
) -> str:
    """Write the responses; return whether all were built or only those that a change could reach."""
    interactions, orders = lake.read(INTERACTION), lake.read(ORDER)
    aliases = lake.read_or_empty(ALIAS)
    members = members_of_today(members_on(lake.read(MEMBERSHIP_EVENT), as_of), aliases)
    ranks = ranks_of_today(lake.read(DECILE), aliases, as_of)

    def join(interactions: DataFrame, orders: DataFrame) -> DataFrame:
        return join_responses(
            interactions,
            orders,
            members,
            ranks,
            as_of=as_of,
            window_days=config.window_days,
            bots=config.bots,
        )

    changes = _read_changes(run, lake, as_of, known)
    if changes is None:
        run.overwrite(RESPONSE, join(interactions, orders), where=rows_of(as_of))
        return "full"
    touched = list_touched(changes, aliases, as_of=as_of).localCheckpoint()
    theirs, bought, stored = (
        rows.join(touched, on="person_id", how="left_semi")
        for rows in (interactions, orders, lake.read(RESPONSE).where(rows_of(as_of)))
    )
    found, stored = keep_all(RESPONSE.conform(join(theirs, bought)), stored)
    changed, gone, _ = compare_rows(found, stored, RESPONSE)
    run.merge(RESPONSE, changed, gone=gone)
    return "incremental"


def _read_changes(
    run: Run, lake: Lakehouse, as_of: date, known: dict[str, int]
) -> dict[str, DataFrame] | None:
    """Change feeds since the checkpoint by table name; None where everything is to be built."""
    last = lake.log.last_success(STAGE, as_of)
    is_alike = last is not None and last.basis == run.basis and not lake.log.force
    if not is_alike or not known or not lake.exists(RESPONSE):
        return None
    found = {}
    for table in READS:
        if not lake.exists(table) and table.name not in known:
            continue
        feed = lake.changes(table, since=known.get(table.name))
        if feed is None:
            return None
        found[table.name] = feed
    return found


def _read_checkpoint(lake: Lakehouse, as_of: date) -> dict[str, int]:
    """Versions that the newest checkpoint of the date stands at, by table name."""
    mine = lake.read_or_empty(CHECKPOINT).where(rows_of(as_of)).where(F.col("process") == STAGE)
    newest = mine.groupBy("table_name").agg(
        F.max_by("last_table_version", "recorded_at").alias("version")
    )
    return {
        row["table_name"]: row["version"] for row in newest.collect() if row["version"] is not None
    }


def _checkpoints(
    lake: Lakehouse, as_of: date, status: str, mode: str | None, versions: dict[str, int]
) -> DataFrame:
    now = datetime.now(UTC)
    rows = [
        (STAGE, as_of, table.name, now, status, mode, versions.get(table.name)) for table in READS
    ]
    return lake.spark.createDataFrame(rows, CHECKPOINT.schema)
