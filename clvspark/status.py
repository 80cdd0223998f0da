"""What a lakehouse holds and how its last runs ended."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clvspark import console
from clvspark.catalogue import TABLES
from clvspark.config import Config
from clvspark.lakehouse.formats import refuse_other_format
from clvspark.lakehouse.run_log import RUN
from clvspark.lakehouse.side_by_side import by_key
from clvspark.lakehouse.table_log import folder_of, is_table, read_table_log
from clvspark.pipeline import STAGES, open_lakehouse

_RUN_COLUMNS = ["stage", "as_of_date", "status", "started_at", "seconds", "rows_written", "error"]
_SHOWN_RUNS = 12


@dataclass(frozen=True)
class Status:
    """Rows (None: not known) and version of every table there is, and the rows of the run log."""

    tables: Mapping[str, tuple[int | None, int | None]]
    runs: list[dict[str, Any]]


def read_status(config: Config) -> Status:
    """Look into the lakehouse of `config`; a local one is looked into without Spark.

    Raises VersionError if it has another format.
    """
    root = config.lakehouse.local_root
    if root:
        return _of_folder(root)
    return _of_session(config)


def _of_folder(root: Path) -> Status:
    """Rows and versions from the logs of the tables."""
    folders = {name: folder_of(root, name) for name in sorted(TABLES)}
    logs = {name: read_table_log(folder) for name, folder in folders.items() if is_table(folder)}
    runs: list[dict[str, Any]] = []
    if RUN.name in logs:
        refuse_other_format(logs[RUN.name].properties)
        files = logs[RUN.name].files
        parts = [pq.read_table(file, columns=_RUN_COLUMNS) for file in files]
        runs = pa.concat_tables(parts).to_pylist() if parts else []
    return Status({name: (log.rows, log.version) for name, log in logs.items()}, runs)


def _of_session(config: Config) -> Status:
    with console.progress():
        lake = open_lakehouse(config)
        existing = [table for _, table in sorted(TABLES.items()) if lake.exists(table)]
        # Delta answers an unfiltered count of a whole table from the statistics in its log.
        rows = by_key(lambda table: lake.storage.read(table.name).count(), existing)
        runs = lake.read_or_empty(RUN).select(*_RUN_COLUMNS).collect()
    tables = {table.name: (count, lake.version(table)) for table, count in rows.items()}
    return Status(tables, [row.asDict() for row in runs])


def print_status(found: Status, place: str) -> None:
    """Tables, the last run of every stage that had work to do, and the last runs that had."""
    if not found.tables:
        console.out.print(
            f"There is no table in {place}. Next step: correct 'lakehouse' of the configuration, or clvspark run.",
            soft_wrap=True,
        )
        return
    rows = [(n, *found.tables[n], _gist(TABLES[n].comment)) for n in found.tables]
    console.table("Tables", ["table", "rows", "version", "what it holds"], rows, texts={3})
    columns = ["stage", "as of", "status", "started (UTC)", "seconds", "rows written"]
    newest = [
        (*_cells(run), _moment(checked["started_at"]) if checked else "-")
        for run, checked in last_work(found.runs)
    ]
    title = "Last run of each stage that had work to do, and when it was last found to have none"
    console.table(title, [*columns, "unchanged (UTC)"], newest, left=4, texts={6})
    worked = [run for run in _newest_first(found.runs) if run["status"] != "unchanged"]
    shown = [_cells(run) for run in worked[:_SHOWN_RUNS]]
    console.table("Last runs that had work to do", columns, shown, left=4)


def last_work(runs: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
    """By stage, in the order of the flow: the last run that did its work or failed, and the last without work since."""
    found, newest = [], _newest_first(runs)
    for stage in STAGES:
        mine = [run for run in newest if run["stage"] == stage]
        idle = list(itertools.takewhile(lambda run: run["status"] == "unchanged", mine))
        worked = mine[len(idle) :] or mine
        if worked:
            found.append((worked[0], idle[0] if idle else None))
    return found


def _newest_first(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(runs, key=lambda run: run["started_at"], reverse=True)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _cells(run: dict[str, Any]) -> tuple[object, ...]:
    """One run as it is shown: a failed one with the kind of its error."""
    status = f"{run['status']} ({run['error']})" if run["error"] else run["status"]
    day = str(run["as_of_date"]) if run["as_of_date"] else "-"
    written = sum(json.loads(run["rows_written"] or "{}").values())
    return (
        run["stage"],
        day,
        status,
        _moment(run["started_at"]),
        run["seconds"],
        written,
    )


def _gist(comment: str) -> str:
    """What a table holds in one line; the data dictionary has the whole."""
    return re.split(r"[.;:] ", comment.removesuffix("."))[0]
