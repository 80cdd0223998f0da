"""What a micro-batch writes: all of it is verified in one job, and each statement is done once.

Jobs of few rows take as long as it takes to plan them, so there are few; and where all keys are new to a table their
rows are appended, which costs a fifth of a MERGE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame

from clvspark.lakehouse import Lakehouse, Table
from clvspark.lakehouse.contract import verify_contracts
from clvspark.lakehouse.transaction import Transaction


@dataclass(frozen=True, eq=False)
class Change:
    """What is to be written into a table: rows in memory, of its contract.

    Parameters
    ----------
    added : rows whose key the table does not have.
    altered : rows whose key it may have, with something else.
    gone : keys that go.
    """

    table: Table
    added: DataFrame | None = None
    altered: DataFrame | None = None
    gone: DataFrame | None = None


@dataclass(frozen=True, eq=False)
class Write:
    """A change whose rows are verified, and their numbers."""

    change: Change
    added: int
    altered: int
    gone: int

    @property
    def rows(self) -> int:
        """All of them."""
        return self.added + self.altered + self.gone

    def do(self, lake: Lakehouse, once: Transaction) -> None:
        """Write what there is, once."""
        change, table = self.change, self.change.table
        own = once.of(table.name)
        if not (self.altered or self.gone):
            if self.added and change.added is not None:
                rows = change.added.coalesce(1)
                lake.append(table, rows, once=own, cached=True, verified=self.added)
            return
        parts = [rows for rows in (change.added, change.altered) if rows is not None]
        every = reduce(DataFrame.unionByName, parts)
        gone = change.gone if self.gone else None
        lake.merge(table, every, gone=gone, once=own, verified=self.rows)


def verify_changes(changes: Sequence[Change], *also: DataFrame) -> tuple[list[Write], list[int]]:
    """The writes of changes, and the numbers of rows of other frames; ContractError where a row breaks its contract."""
    frames: list[tuple[DataFrame, Table | None]] = [(rows, None) for rows in also]
    for change in changes:
        frames += [
            (rows, table)
            for rows, table in (
                (change.added, change.table),
                (change.altered, change.table),
                (change.gone, None),
            )
            if rows is not None
        ]
    counts = iter(verify_contracts(frames))
    others = [next(counts) for _ in also]
    writes = [
        Write(c, *(0 if rows is None else next(counts) for rows in (c.added, c.altered, c.gone)))
        for c in changes
    ]
    return writes, others
