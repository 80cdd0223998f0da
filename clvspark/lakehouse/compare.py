"""What differs between the rows that a table has and those that it is to have."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.lakehouse.table import Table
from clvspark.lakehouse.texts import hash_columns

BROADCAST_ROWS = 100_000
"""So many rows of keys are sent to every core, which spares a shuffle of the table."""


def compare_rows(
    wanted: DataFrame, stored: DataFrame, table: Table
) -> tuple[DataFrame, DataFrame, float]:
    """Rows of `wanted` that are new or other ones, rows of `stored` whose key is no more, and their share of all.

    Rows of a key are compared by the hash of what they say, so one shuffle of keys and hashes tells; what the contract
    says is kept travels with it.
    """
    key = table.key
    now = wanted.select(*key, content_of(table).alias("_now"))
    was = stored.select(*key, content_of(table).alias("_was"), _first_values(table))
    # Kept: it is counted, and both sides are found with it.
    differing = (
        now.join(was, on=key, how="full_outer")
        .where("NOT _now <=> _was")
        .select(*key, F.col("_now").isNull().alias("_is_gone"), "_first")
        .localCheckpoint()
    )
    differences, total = differing.count(), stored.count()
    changed = differing.where("NOT _is_gone").select(*key, "_first")
    if differences <= BROADCAST_ROWS:
        changed = F.broadcast(changed)
    return (
        _with_first_values(wanted.join(changed, on=key, how="inner"), table),
        differing.where("_is_gone").select(*key),
        differences / max(total, 1),
    )


def keep_first_values(rows: DataFrame, stored: DataFrame, table: Table) -> DataFrame:
    """Rows with those values of `stored`, where it has their key, that the contract says are kept."""
    if not table.kept:
        return rows.select(*table.names)
    first = stored.select(*table.key, _first_values(table))
    return _with_first_values(rows.join(first, on=table.key, how="left"), table)


def _first_values(table: Table) -> Column:
    """``_first`` of a stored row, never NULL: what stays of it."""
    return F.struct(F.lit(True), *table.kept).alias("_first")


def _with_first_values(rows: DataFrame, table: Table) -> DataFrame:
    is_known = F.col("_first").isNotNull()
    values = {
        name: F.when(is_known, F.col(f"_first.{name}")).otherwise(F.col(name))
        for name in table.kept
    }
    return rows.withColumns(values).select(*table.names)


def content_of(table: Table) -> Column:
    """Hash of what a row of the table says; a map has none, its entries in the order of their keys do."""
    said = [table.column(name) for name in table.said]
    columns = [
        F.array_sort(F.map_entries(column.name)) if "map" in column.type else F.col(column.name)
        for column in said
    ]
    return hash_columns(columns)
