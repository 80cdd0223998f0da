"""Rows of Spark for a DuckDB on the same machine, as Arrow files that it maps into memory and need not decode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame

from clvspark.lakehouse.errors import ConfigError


def hand_over(rows: DataFrame, folder: Path) -> pa.Table:
    """The rows as a table whose memory is the files of the new folder: one for each partition that has rows.

    ConfigError where some were written on another machine.
    """
    folder.mkdir(parents=True, mode=0o700)
    target = str(folder)

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        first = next(batches, None)
        if first is not None:
            written = first.num_rows
            # A task that is tried again writes the same file anew.
            name = f"{target}/{TaskContext.get().partitionId():06d}.arrow"  # type: ignore[union-attr]
            with pa.ipc.new_file(name, first.schema) as file:
                file.write_batch(first)
                for batch in batches:
                    file.write_batch(batch)
                    written += batch.num_rows
            yield pa.record_batch({"written": pa.array([written], pa.int64())})

    counts = rows.mapInArrow(write, "written bigint").collect()
    files = sorted(folder.glob("*.arrow"))
    if not counts:
        return rows.limit(0).toArrow()
    table = pa.concat_tables(pa.ipc.open_file(pa.memory_map(str(f))).read_all() for f in files)
    written = sum(row["written"] for row in counts)
    if table.num_rows != written:
        came = f"only {table.num_rows:,} of {written:,} records came to this machine"
        next_step = "Spark runs on others, too; take the engine distributed"
        raise ConfigError("engine: local", [f"{came}: {next_step}"])
    return table
