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

    Rows of a key are compared by the hash of their columns, so one shuffle of keys and hashes tells.
    """
    key = table.key
    now = wanted.select(*key, _digest(table).alias("_now"))
    was = stored.select(*key, _digest(table).alias("_was"))
    # Kept: it is counted, and both sides are found with it.
    differing = (
        now.join(was, on=key, how="full_outer")
        .where("NOT _now <=> _was")
        .select(*key, F.col("_now").isNull().alias("_is_gone"))
        .localCheckpoint()
    )
    differences, total = differing.count(), stored.count()
    changed = differing.where("NOT _is_gone").select(*key)
    if differences <= BROADCAST_ROWS:
        changed = F.broadcast(changed)
    return (
        wanted.join(changed, on=key, how="left_semi").select(*table.names),
        differing.where("_is_gone").select(*key),
        differences / max(total, 1),
    )


def _digest(table: Table) -> Column:
    """Hash of a row; a map has none, its entries in the order of their keys do."""
    columns = [
        F.array_sort(F.map_entries(column.name)) if "map" in column.type else F.col(column.name)
        for column in table.columns
    ]
    return hash_columns(columns)
