"""Parcels: Arrow tables that travel through Spark's shuffle as they are.

A row of Spark is a parcel: what it is, the shard it goes to, and a table of thousands of records as Arrow writes it.
Between two steps only bytes are copied: no record becomes a row of Spark, is serialised, or is converted again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

PARCEL = "kind string, shard int, rows int, content binary"
NOWHERE = -1
_ROWS_AT_ONCE = 500_000
_ROWS_A_TASK = 2**31
# Larger arrays are a burden for the JVM's garbage collector.
_PARCEL_BYTES = 2**20
_SCHEMA = pa.schema(
    [("kind", pa.string()), ("shard", pa.int32()), ("rows", pa.int32()), ("content", pa.binary())]
)


@dataclass(frozen=True)
class Parcel:
    """A table of one kind on its way to a shard."""

    kind: str
    shard: int
    table: pa.Table


@dataclass(frozen=True)
class Mail:
    """All that one shard has received: a table of each kind."""

    shard: int
    tables: dict[str, pa.Table]

    def __getitem__(self, kind: str) -> pa.Table | None:
        """Table of a kind, None where nothing came."""
        return self.tables.get(kind)

    def forward(self, *kinds: str) -> Iterator[Parcel]:
        """What came, for the same shard in the next step."""
        for kind in kinds:
            if (table := self.tables.get(kind)) is not None:
                yield Parcel(kind, self.shard, table)


Step = Callable[[Mail], Iterator[Parcel]]
Batches = Iterator[pa.RecordBatch]


def send(rows: DataFrame, step: Callable[[pa.Table, int], Iterator[Parcel]]) -> DataFrame:
    """Parcels that a step makes of the rows of each partition, some at a time.

    The step is also told the number of the first row; no two rows of all partitions have the same number.
    """

    def work(batches: Batches) -> Batches:
        first = TaskContext.get().partitionId() * _ROWS_A_TASK  # type: ignore[union-attr]
        for table in _chunks(batches):
            for parcel in step(table, first):
                yield from _seal(parcel)
            first += table.num_rows

    return rows.mapInArrow(work, PARCEL)


def unpack(parcels: DataFrame, kind: str, schema: pa.Schema) -> DataFrame:
    """Parcels of a kind as rows of Spark."""

    def work(batches: Batches) -> Batches:
        for batch in batches:
            for content in batch["content"]:
                yield from _open(content).cast(schema).to_batches()

    contents = parcels.where(F.col("kind") == kind).select("content")
    return contents.mapInArrow(work, from_arrow_schema(schema))


def exchange(parcels: DataFrame, shards: int) -> DataFrame:
    """Parcels where they belong: each shard a partition. `shards` may be a divisor of the number they are sent for."""
    return parcels.repartitionById(shards, F.col("shard") % shards)


def process(parcels: DataFrame, step: Step) -> DataFrame:
    """Parcels that a step makes of all that is in one partition."""

    def work(batches: Batches) -> Batches:
        mail = _read(batches)
        if mail is not None:
            for parcel in step(mail):
                yield from _seal(parcel)

    return parcels.mapInArrow(work, PARCEL)


def finish(
    parcels: DataFrame, step: Callable[[Mail], Iterator[pa.Table]], schema: pa.Schema
) -> DataFrame:
    """Rows of Spark that the last step makes of all that is in one partition."""

    def work(batches: Batches) -> Batches:
        mail = _read(batches)
        if mail is not None:
            for table in step(mail):
                yield from table.cast(schema).to_batches(max_chunksize=50_000)

    return parcels.mapInArrow(work, from_arrow_schema(schema))


def address(kind: str, table: pa.Table, shard: NDArray[np.int64], shards: int) -> Iterator[Parcel]:
    """The rows of a table, each for its own shard; those for `NOWHERE` stay behind."""
    order = np.argsort(shard, kind="stable")[np.count_nonzero(shard == NOWHERE) :]
    if len(order) and not 0 <= shard[order[0]] <= shard[order[-1]] < shards:
        raise ValueError(f"{kind}: sent to a shard that there is not")
    bounds = np.searchsorted(shard[order], np.arange(shards + 1))
    ordered = table.take(pa.array(order))
    for number, (start, end) in enumerate(pairwise(bounds)):
        if end > start:
            yield Parcel(kind, number, ordered.slice(start, end - start))


def _chunks(batches: Batches) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(b.num_rows for b in held) >= _ROWS_AT_ONCE:
            yield pa.Table.from_batches(held)
            held = []
    if sum(b.num_rows for b in held):
        yield pa.Table.from_batches(held)


def _read(batches: Batches) -> Mail | None:
    # Splink warns of what the driver has told already.
    logging.disable(logging.WARNING)
    received: dict[str, list[pa.Table]] = defaultdict(list)
    for batch in batches:
        for kind, content in zip(batch["kind"].to_pylist(), batch["content"], strict=True):
            received[kind].append(_open(content))
    if not received:
        return None
    shard = TaskContext.get().partitionId()  # type: ignore[union-attr]
    # A column may be nullable in some parcels only.
    tables = {
        kind: pa.concat_tables(parts, promote_options="default") for kind, parts in received.items()
    }
    return Mail(shard, tables)


def _open(content: pa.BinaryScalar) -> pa.Table:
    return pa.ipc.open_stream(content.as_buffer()).read_all()


def _seal(parcel: Parcel) -> Batches:
    """Rows of Spark for one parcel, as many as its size asks for."""
    table = parcel.table
    pieces = max(1, -(-table.nbytes // _PARCEL_BYTES))
    size = max(1, -(-table.num_rows // pieces))
    for start in range(0, table.num_rows, size):
        piece = table.slice(start, size)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, piece.schema) as stream:
            stream.write_table(piece)
        content = sink.getvalue().to_pybytes()
        columns = [[parcel.kind], [parcel.shard], [piece.num_rows], [content]]
        yield pa.record_batch(
            [pa.array(c, type=f.type) for c, f in zip(columns, _SCHEMA, strict=True)],
            schema=_SCHEMA,
        )
