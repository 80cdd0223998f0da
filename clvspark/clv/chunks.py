"""Scoring on executors in chunks: equal histories are worked out once, and ids never become Python objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame

_ROWS = 100_000


def map_chunks(
    rows: DataFrame,
    score: Callable[[pd.DataFrame], pd.DataFrame],
    names: Sequence[str],
    *,
    key: str,
) -> DataFrame:
    """``key`` and the doubles `names` that `score` finds for its row, NULL where it finds NaN.

    In: any rows with a column `key`, which `score` is not given. `score` answers row by row, in their order.
    """

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for chunk in _in_chunks(batches):
            found = score(chunk.drop_columns([key]).to_pandas())
            columns = [pa.array(found[name].to_numpy(float), from_pandas=True) for name in names]
            scored = pa.Table.from_arrays([chunk[key], *columns], names=[key, *names])
            yield from scored.combine_chunks().to_batches()

    kind = rows.schema[key].dataType.simpleString()
    return rows.mapInArrow(run, ", ".join([f"{key} {kind}", *(f"{name} double" for name in names)]))


def _in_chunks(batches: Iterable[pa.RecordBatch], rows: int = _ROWS) -> Iterator[pa.Table]:
    """Batches joined until they have so many rows."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(part.num_rows for part in held) >= rows:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)
