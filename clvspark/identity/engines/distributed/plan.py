"""What every shard is told beside its records."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clvspark.identity.model.scoring import connect
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.settings import IdentitySettings

_MEMORY = "2GB"


@dataclass(frozen=True)
class Plan:
    """What is the same for all shards.

    Parameters
    ----------
    shards : number of shards. A record's *handle* is a number that tells it from all others; its home is the shard
        that is the remainder of the handle by this.
    model : None where nothing is scored.
    adjusted : columns with term frequencies.
    is_linked : whether records are to meet.
    is_frozen : whether term frequencies are given, not counted.
    only_touched : whether only pairs with a touched record are wanted.
    smallest : records of the smallest component that needs a second look.
    decisions : ``unique_id_l, unique_id_r, bond``: as many rows as people can decide.
    """

    settings: IdentitySettings
    shards: int
    model: IdentityModel | None = None
    adjusted: tuple[str, ...] = ()
    is_linked: bool = True
    is_frozen: bool = False
    only_touched: bool = False
    smallest: int = 2
    decisions: pa.Table | None = None

    def shard_of(self, numbers: pa.ChunkedArray) -> NDArray[np.int64]:
        """Shard that each handle or hash belongs to."""
        return np.asarray(numbers) % self.shards


@contextmanager
def open_duckdb(**tables: pa.Table | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of one thread that sees the tables, spills beyond its memory, and leaves nothing."""
    with (
        tempfile.TemporaryDirectory(prefix="clvspark-shard-") as spill,
        closing(connect(threads=1, memory=_MEMORY, spill=spill)) as connection,
    ):
        for name, table in tables.items():
            if table is not None:
                connection.register(name, table)
        yield connection


def view_by_handle(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Create the view ``records`` of a table of records: ``unique_id`` is the handle, ``_id`` the id."""
    connection.execute(f"""
        CREATE VIEW records AS
        SELECT _handle AS unique_id, unique_id AS _id, * EXCLUDE (_handle, unique_id) FROM {name}
    """)
