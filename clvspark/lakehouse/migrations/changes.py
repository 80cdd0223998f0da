"""What becomes of the rows of a table on the way to a format.

Only what nobody can tell from a contract is written down: what rows from before have in a new key or required column,
under a new name, or that they go. Columns that may be NULL, properties and clustering follow from the contracts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.lakehouse.table import Table

# Reads a table, by name, with the columns that are stored.
Read = Callable[[str], DataFrame]
# Rows as they become, with any columns beside those of the contract. In: those that are stored, none where the table is
# not there yet; all others.
Build = Callable[[DataFrame, Read], DataFrame]


@dataclass(frozen=True)
class Change:
    """The rows of one table become other ones.

    Parameters
    ----------
    table : its name.
    what : happens to the rows, in words.
    build : the rows as they become.
    needs : other tables that are read. Where one of them is not there, nothing becomes of the table.
    is_new : the table is made by the change.
    """

    table: str
    what: str
    build: Build
    needs: tuple[str, ...] = ()
    is_new: bool = False


# All changes that lead to a format, by that format.
Migrations = Mapping[int, tuple[Change, ...]]


def fill(table: str, what: str, **values: str) -> Change:
    """Columns get a value where they have none: SQL over the columns that are stored."""

    def build(rows: DataFrame, _: Read) -> DataFrame:
        return rows.withColumns(
            {name: or_else(rows, name, F.expr(v)) for name, v in values.items()}
        )

    return Change(table, what, build)


def rename(table: str, what: str, **names: str) -> Change:
    """Columns get the values of others, by old name; a rewritten table keeps no column beside its contract."""

    def build(rows: DataFrame, _: Read) -> DataFrame:
        there = {new: old for new, old in names.items() if old in rows.columns}
        return rows.withColumns({new: or_else(rows, new, F.col(old)) for new, old in there.items()})

    return Change(table, what, build)


def leave_out(table: str, what: str, *lacking: str) -> Change:
    """Rows go that have nothing in one of these columns; all rows where a column is not stored."""

    def build(rows: DataFrame, _: Read) -> DataFrame:
        if not set(lacking) <= set(rows.columns):
            return rows.limit(0)
        return rows.dropna(subset=list(lacking))

    return Change(table, what, build)


def or_else(rows: DataFrame, name: str, value: SparkColumn) -> SparkColumn:
    """A column, and `value` where it is NULL or not stored."""
    return F.coalesce(F.col(name), value) if name in rows.columns else value


def apply_changes(
    changes: tuple[Change, ...], stored: DataFrame, read: Read, table: Table
) -> DataFrame:
    """Rows after all changes in their order, with the columns of the contract and their types."""
    rows = table.fill(reduce(lambda rows, change: change.build(rows, read), changes, stored))
    return rows.withColumns({c.name: F.col(c.name).cast(c.type) for c in table.columns})
