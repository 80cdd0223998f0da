"""Rows of a table kept in memory from one micro-batch to the next, renewed by what the stream itself has written."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# So many pieces are put together to one: a plan over many of them costs more than their rows.
_PIECES = 16


class Kept:
    """Rows that grow by a few with every micro-batch; where memory is full, on disk."""

    def __init__(self, rows: DataFrame) -> None:
        """Keep rows; they are read at once, as the table must not be another one later."""
        # Not `persist`: Spark would read it anew whenever the table is written.
        self._base = rows.localCheckpoint()
        self._more: list[DataFrame] = []

    @property
    def rows(self) -> DataFrame:
        """All of them."""
        return reduce(DataFrame.unionByName, self._more, self._base)

    def add(self, rows: DataFrame) -> None:
        """Keep more rows, which are in memory already."""
        self._more.append(rows)
        if len(self._more) >= _PIECES:
            together = reduce(DataFrame.unionByName, self._more).coalesce(2)
            self._more = [together.localCheckpoint()]


def id_hash() -> Column:
    """What is kept of the id of an event: two of five million share one by a chance of one in a million."""
    return F.xxhash64("event_id").alias("_id_hash")
