"""Records that were erased stay away: what lands of them again is dropped, their sales stay anonymous."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.lakehouse.table import Table

_RECORD = ("source_system", "source_record_id")
_SALES = ("order", "refund")


def record_digest(system: Column, record: Column) -> Column:
    """Digest of a record's id, as in privacy.tombstone."""
    return F.sha2(F.concat_ws(":", system, record), 256)


def mark_erased(rows: DataFrame, table: Table, tombstones: DataFrame | None) -> DataFrame:
    """Add ``_erased``: whether the row is of an erased record and is to be dropped.

    A sale of an erased record is kept without its record, or the books would change.
    """
    kept = rows.withColumn("_erased", F.lit(False))
    if tombstones is None or not set(_RECORD) <= set(table.names):
        return kept
    stones = F.broadcast(
        tombstones.select(F.col("record_sha256").alias("_digest"), F.lit(True).alias("_gone"))
    )
    digest = record_digest(*(F.col(name) for name in _RECORD))
    marked = (
        rows.withColumn("_digest", digest).join(stones, on="_digest", how="left").drop("_digest")
    )
    gone = F.coalesce("_gone", F.lit(False))
    sale = F.col("event_type").isin(*_SALES) if "event_type" in table.names else F.lit(False)
    anonymous = F.when(~(gone & sale), F.col("source_record_id"))
    changed = marked.withColumn("_erased", gone & ~sale)
    if "event_type" in table.names:
        changed = changed.withColumn("source_record_id", anonymous)
    return changed.select(*kept.columns)
