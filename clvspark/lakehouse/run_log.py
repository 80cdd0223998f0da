"""The run log: `ops.run` and `ops.metric`."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.table import Column, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from clvspark.lakehouse.lake import Lakehouse
    from clvspark.lakehouse.run import Run, RunReport

RUN = Table(
    "ops.run",
    "Every run of every stage: what it saw, what it left, how long it took.",
    (
        Column("run_id", "string", key=True),
        Column("stage", "string", required=True),
        Column("as_of_date", "date", "date the stage computed for; NULL where it has none"),
        Column("status", "string", "success, unchanged or failed", required=True),
        Column("started_at", "timestamp", required=True),
        Column("ended_at", "timestamp", required=True),
        Column("seconds", "double", unit="s", check="seconds >= 0"),
        Column("fingerprint", "string", "digest of configuration, code, files and input versions"),
        Column("basis", "string", "digest of configuration and code alone"),
        Column("input_versions", "string", "JSON: table name to version read"),
        Column("output_versions", "string", "JSON: table name to version left"),
        Column("rows_written", "string", "JSON: table name to rows"),
        Column("error", "string", "class of the error of a failed run"),
    ),
)
METRIC = Table(
    "ops.metric",
    "Named numbers that a run reported.",
    (
        Column("run_id", "string", key=True, references="ops.run"),
        Column("name", "string", key=True),
        Column("stage", "string", required=True),
        Column("value", "double"),
        Column("recorded_at", "timestamp", required=True),
    ),
)
MICRO_BATCH = Table(
    "ops.micro_batch",
    "One micro-batch of the stream: what came, what became of it, and how long it took.",
    (
        Column("query_id", "string", "of the checkpoint that remembers it", key=True),
        Column("batch_id", "bigint", key=True),
        Column("as_of_date", "date", "date that it was judged for", required=True),
        Column("started_at", "timestamp", required=True),
        Column("decided_at", "timestamp", "the outbox was written", required=True),
        Column("ended_at", "timestamp", required=True),
        Column("first_arrival_at", "timestamp", "of what came with it; NULL: nothing came"),
        Column("last_arrival_at", "timestamp"),
        Column("files", "bigint", required=True),
        Column("events", "bigint", "new ones", required=True),
        Column("repeated", "bigint", "events that were known", required=True),
        Column("quarantined", "bigint", "landing rows that could not be read", required=True),
        Column("waiting", "bigint", "events of records that nobody has resolved", required=True),
        Column("persons", "bigint", "who were evaluated", required=True),
        Column("moves", "bigint", "into audiences and out of them", required=True),
        Column("instructions", "bigint", "rows of the outbox", required=True),
        Column(
            "link_version",
            "bigint",
            "of identity.person_link: whose records had moved by then has been decided for",
        ),
        Column("table_versions", "string", "JSON: table name to version left", required=True),
        Column("seconds", "string", "JSON: step to seconds", required=True),
    ),
)
TABLES = (RUN, METRIC, MICRO_BATCH)
_REMEMBERED = ("fingerprint", "output_versions", "input_versions", "basis", "ended_at")


@dataclass(frozen=True)
class LastRun:
    """What the newest successful run of a stage left behind."""

    as_of: date | None
    fingerprint: str
    output_versions: dict[str, int]
    input_versions: dict[str, int]
    basis: str | None
    ended_at: datetime


class RunLog:
    """Reads and writes the run log; runs without work are kept in memory until `flush`."""

    def __init__(self, lake: Lakehouse) -> None:
        """Nothing is read before it is asked for."""
        self._lake = lake
        self._last: dict[tuple[str, str], LastRun] | None = None
        self._versions: dict[str, int | None] = {}
        self._runs: list[dict[str, Any]] = []
        self._metrics: list[dict[str, Any]] = []
        self._one_at_a_time = threading.Lock()
        self.force = False

    def version(self, table: Table) -> int | None:
        """Version of a table, remembered until the table is written through a run."""
        if table.name not in self._versions:
            self._versions[table.name] = self._lake.version(table)
        return self._versions[table.name]

    def forget_version(self, table: Table) -> None:
        """Forget the remembered version of a table that was just written."""
        self._versions.pop(table.name, None)

    def forget_everything(self) -> None:
        """Forget all remembered versions and runs, where others may have written meanwhile."""
        self._versions.clear()
        self._last = None

    def last_success(self, stage: str, as_of: date | None) -> LastRun | None:
        """The newest run of the stage for `as_of` that did its work."""
        return self._known().get((stage, str(as_of)))

    def left_version(self, stage: str, table: Table) -> int | None:
        """Version of a table that the newest successful run of a stage left, for whatever date; None if none did."""
        known = self._known().items()
        versions = [
            run.output_versions.get(table.name) for (name, _), run in known if name == stage
        ]
        return max((version for version in versions if version is not None), default=None)

    def latest_date_of(self, table: Table) -> date | None:
        """The latest date for which a stage that reads the table has done its work; None if none has."""
        known = self._known().values()
        dates = [run.as_of for run in known if table.name in run.input_versions]
        return max((day for day in dates if day is not None), default=None)

    def newest_success(self, stage: str) -> LastRun | None:
        """The newest successful run of a stage, for whatever date."""
        runs = [run for (name, _), run in self._known().items() if name == stage]
        return max(runs, key=lambda run: run.ended_at, default=None)

    def _known(self) -> dict[tuple[str, str], LastRun]:
        known = self._last
        if known is None:
            known = self._last = self._read_last()
        return known

    def record(
        self, run: Run, report: RunReport, outputs: dict[str, int | None], error: str | None
    ) -> None:
        """Note a finished run; it is written at once if it did any work."""
        now = datetime.now(UTC)
        self._runs.append(
            {
                "run_id": run.run_id,
                "stage": run.stage,
                "as_of_date": run.as_of,
                "status": report.status,
                "started_at": run.started_at,
                "ended_at": now,
                "seconds": report.seconds,
                "fingerprint": run.fingerprint,
                "basis": run.basis,
                "input_versions": json.dumps(run.input_versions),
                "output_versions": json.dumps(outputs),
                "rows_written": json.dumps(report.rows),
                "error": error,
            }
        )
        self._metrics += [
            {
                "run_id": run.run_id,
                "name": name,
                "stage": run.stage,
                "value": value,
                "recorded_at": now,
            }
            for name, value in report.metrics.items()
        ]
        if report.status != "unchanged":
            self.flush()
        known = self._last
        if report.status == "success" and known is not None:
            left, read = (
                {name: version for name, version in of.items() if version is not None}
                for of in (outputs, run.input_versions)
            )
            done = LastRun(run.as_of, run.fingerprint, left, read, run.basis, now)
            known[run.stage, str(run.as_of)] = done

    def flush(self) -> None:
        """Write what is still in memory: one commit a table."""
        with self._one_at_a_time:
            for table, rows in ((RUN, self._runs), (METRIC, self._metrics)):
                if rows:
                    data = [tuple(row[name] for name in table.names) for row in rows]
                    self._lake.append(
                        table, self._lake.spark.createDataFrame(data, table.schema).coalesce(1)
                    )
                    rows.clear()

    def _read_last(self) -> dict[tuple[str, str], LastRun]:
        if not self._lake.exists(RUN):
            return {}
        newest = (
            self._lake.read(RUN)
            .where("status = 'success'")
            .groupBy("stage", "as_of_date")
            .agg(F.max_by(F.struct(*_REMEMBERED), "ended_at").alias("last"))
            .select("stage", "as_of_date", "last.*")
        )
        return {
            (row["stage"], str(row["as_of_date"])): LastRun(
                row["as_of_date"],
                row["fingerprint"],
                json.loads(row["output_versions"]),
                json.loads(row["input_versions"]),
                row["basis"],
                row["ended_at"].astimezone(UTC),
            )
            for row in newest.collect()
        }


def newest_runs(runs: DataFrame, as_of: date) -> DataFrame:
    """Of ops.run, the newest run of each stage that did its work for `as_of` or for no date."""
    done = runs.where(f"status = 'success' AND (as_of_date IS NULL OR {rows_of(as_of)})")
    newest = F.max_by(F.struct(*RUN.names), "ended_at").alias("newest")
    return done.groupBy("stage").agg(newest).select("newest.*")
