"""How the stream does, told by its accounts; and how it is asked to end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clvspark import console
from clvspark.audiences.moments.tables import MOMENT
from clvspark.config import Config
from clvspark.lakehouse import Table
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.lock import is_locked
from clvspark.lakehouse.run_log import MICRO_BATCH
from clvspark.lakehouse.table_log import folder_of, is_table, read_table_log
from clvspark.pipeline import open_lakehouse

STOP_FILE = "stop"
_SHOWN = 12
# More than a configuration has.
_MOMENTS = 1000


def local_checkpoint(config: Config) -> Path | None:
    """Folder of the checkpoint, None where it lies on no local file system."""
    chosen = config.stream.checkpoint
    if chosen:
        return None if "://" in chosen else Path(chosen).absolute()
    root = config.lakehouse.local_root
    return None if root is None else root / "_stream"


def read_batches(config: Config) -> list[dict[str, Any]]:
    """Rows of ops.micro_batch, the newest first; of a local lakehouse without Spark."""
    rows = _read(config, MICRO_BATCH, "ended_at", _SHOWN)
    return sorted(rows, key=lambda row: row["ended_at"], reverse=True)


def read_moments(config: Config) -> list[dict[str, Any]]:
    """Rows of audiences.moment of its newest date, by moment; of a local lakehouse without Spark."""
    rows = _read(config, MOMENT, "as_of_date", _MOMENTS)
    newest = max((row["as_of_date"] for row in rows), default=None)
    of_it = (row for row in rows if row["as_of_date"] == newest)
    return sorted(of_it, key=lambda row: row["moment_id"])


def _read(config: Config, table: Table, at: str, most: int) -> list[dict[str, Any]]:
    """Rows of a table that marks none as deleted: of a local lakehouse all, else the newest by a column."""
    root = config.lakehouse.local_root
    if root is None:
        frame = open_lakehouse(config).read_or_empty(table).orderBy(at, ascending=False)
        return [row.asDict() for row in frame.limit(most).collect()]
    folder = folder_of(root, table.name)
    files = read_table_log(folder).files if is_table(folder) else []
    # A file that was written before a column was gained lacks it.
    parts = [pq.read_table(file) for file in files]
    return pa.concat_tables(parts, promote_options="default").to_pylist() if parts else []


def print_batches(rows: Sequence[dict[str, Any]]) -> None:
    """The newest micro-batches, and what was taken by all."""
    if not rows:
        console.out.print("No stream has taken anything yet. Next step: clvspark stream")
        return
    names = (
        "files",
        "events",
        "repeated",
        "quarantined",
        "waiting",
        "persons",
        "moves",
        "instructions",
    )
    columns = ["ended (UTC)", "as of", *names, "arrival to outbox (s)", "longest step"]
    shown = [
        (
            f"{row['ended_at']:%Y-%m-%d %H:%M:%S}",
            row["as_of_date"],
            *(row[name] for name in names),
            _latency(row),
            _longest_step(row),
        )
        for row in rows[:_SHOWN]
    ]
    console.table("Newest micro-batches", columns, shown, left=2, texts={len(columns) - 1})
    total = ", ".join(f"{name} {sum(row[name] for row in rows):,}" for name in names)
    console.out.print(f"All {len(rows):,} micro-batches: {total}", soft_wrap=True)


def print_moments(rows: Sequence[dict[str, Any]]) -> None:
    """What has come of moments on a date; nothing where there are none."""
    if not rows:
        return
    names = {
        "active": "on the journey",
        "entered": "entered",
        "ended": "ended",
        "sent": "steps sent",
        "left_out": "steps left out",
    }
    shown = [(row["moment_id"], *(row[name] for name in names)) for row in rows]
    title = f"Moments as of {rows[0]['as_of_date']}"
    console.table(title, ["moment", *names.values()], shown, left=1)


def ask_to_stop(config: Config) -> str:
    """Leave the stream word to end; what to tell people.

    ConfigError where the checkpoint lies on no local file system: there a signal does it.
    """
    folder = local_checkpoint(config)
    if folder is None:
        raise ConfigError(
            "stream.checkpoint",
            ["lies on no local file system; send the process SIGTERM, which ends it as cleanly"],
        )
    root = config.lakehouse.local_root
    if not folder.exists() or (root is not None and not is_locked(root)):
        return "No stream runs here."
    (folder / STOP_FILE).touch()
    return "The stream will end after the batch at hand, once histories have caught up."


def _latency(row: dict[str, Any]) -> float | None:
    if row["first_arrival_at"] is None:
        return None
    return float((row["decided_at"] - row["first_arrival_at"]).total_seconds())


def _longest_step(row: dict[str, Any]) -> str:
    seconds = json.loads(row["seconds"])
    name = max(seconds, key=seconds.__getitem__, default="")
    return f"{name} {seconds[name]:.1f} s" if name else "-"
