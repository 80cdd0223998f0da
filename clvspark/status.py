"""What a lakehouse holds and how its last runs ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clvspark import console
from clvspark.catalogue import TABLES
from clvspark.config import Config
from clvspark.lakehouse.lake import refuse_newer_format
from clvspark.lakehouse.run_log import RUN
from clvspark.lakehouse.table_log import is_table, read_table_log
from clvspark.pipeline import STAGES, open_lakehouse

_READERS = 4
_RUN_COLUMNS = ["stage", "as_of_date", "status", "started_at", "seconds", "rows_written", "error"]
_SHOWN_RUNS = 12


@dataclass(frozen=True)
class Status:
    """Rows (None: not known) and version of every table there is, and the rows of the run log."""

    tables: Mapping[str, tuple[int | None, int | None]]
    runs: list[dict[str, Any]]


def read_status(config: Config) -> Status:
    """Look into the lakehouse of `config`; a local one is looked into without Spark.

    Raises VersionError if a newer clvspark wrote it.
    """
    root = config.lakehouse.root
    if root and "://" not in root:
        return _of_folder(Path(root))
    return _of_session(config)


def _of_folder(root: Path) -> Status:
    """Rows and versions from the logs of the tables."""
    folders = {name: root / name.replace(".", "/") for name in sorted(TABLES)}
    logs = {name: read_table_log(folder) for name, folder in folders.items() if is_table(folder)}
    runs: list[dict[str, Any]] = []
    if RUN.name in logs:
        refuse_newer_format(logs[RUN.name].properties)
        files = logs[RUN.name].files
        parts = [pq.read_table(file, columns=_RUN_COLUMNS) for file in files]
        runs = pa.concat_tables(parts).to_pylist() if parts else []
    return Status({name: (log.rows, log.version) for name, log in logs.items()}, runs)


def _of_session(config: Config) -> Status:
    with console.progress():
        lake = open_lakehouse(config)
        existing = [table for _, table in sorted(TABLES.items()) if lake.exists(table)]
        with ThreadPoolExecutor(_READERS) as pool:
            # Delta answers an unfiltered count of a whole table from the statistics in its log.
            rows = list(pool.map(lambda table: lake.storage.read(table.name).count(), existing))
        runs = lake.read_or_empty(RUN).select(*_RUN_COLUMNS).collect()
    tables = {
        table.name: (count, lake.version(table))
        for table, count in zip(existing, rows, strict=True)
    }
    return Status(tables, [row.asDict() for row in runs])


def print_status(found: Status) -> None:
    """Tables, how the newest run of every stage ended, and the last runs."""
    if not found.tables:
        console.out.print("The lakehouse is empty. Next step: clvspark run --config FILE")
        return
    rows = [(n, count, version, TABLES[n].comment) for n, (count, version) in found.tables.items()]
    console.table("Tables", ["table", "rows", "version", "what it holds"], rows, texts={3})
    runs = sorted(found.runs, key=lambda run: run["started_at"], reverse=True)
    newest = {stage: [run for run in runs if run["stage"] == stage][:1] for stage in STAGES}
    columns = ["stage", "as of", "status", "started (UTC)", "seconds", "rows written"]
    for title, shown in (
        ("Newest run of each stage", [run for found_run in newest.values() for run in found_run]),
        ("Last runs", runs[:_SHOWN_RUNS]),
    ):
        console.table(title, columns, [_cells(run) for run in shown], left=4)


def _cells(run: dict[str, Any]) -> tuple[object, ...]:
    """One run as it is shown: a failed one with the kind of its error."""
    status = f"{run['status']} ({run['error']})" if run["error"] else run["status"]
    day = str(run["as_of_date"]) if run["as_of_date"] else "-"
    written = sum(json.loads(run["rows_written"] or "{}").values())
    return (
        run["stage"],
        day,
        status,
        f"{run['started_at']:%Y-%m-%d %H:%M:%S}",
        run["seconds"],
        written,
    )
