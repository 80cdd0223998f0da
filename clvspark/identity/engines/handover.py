"""Rows of Spark for a DuckDB on the same machine, as Arrow files that it maps into memory and need not decode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame


def hand_over(rows: DataFrame, folder: Path) -> pa.Table:
    """The rows as a table whose memory is the files of the new folder: one for each partition that has rows."""
    folder.mkdir(parents=True, mode=0o700)
    target = str(folder)

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        first = next(batches, None)
        if first is not None:
            task = TaskContext.get()
            # A task that is tried again writes the same file anew.
            name = f"{target}/{task.partitionId() if task else 0:06d}.arrow"
            with pa.ipc.new_file(name, first.schema) as file:
                file.write_batch(first)
                for batch in batches:
                    file.write_batch(batch)
        yield from ()

    rows.mapInArrow(write, "written int").write.format("noop").mode("overwrite").save()
    files = sorted(folder.glob("*.arrow"))
    if not files:
        return rows.limit(0).toArrow()
    return pa.concat_tables(pa.ipc.open_file(pa.memory_map(str(f))).read_all() for f in files)
