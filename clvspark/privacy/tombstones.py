"""Records that were erased stay away: what lands of them again is dropped, their sales stay anonymous."""

from __future__ import annotations

import hashlib

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.lakehouse.table import Table

RECORD = ["source_system", "source_record_id"]
# Types of events that are part of an order.
SALES = ("order", "refund", "order_updated", "order_cancelled")


def record_digest(system: Column, record: Column) -> Column:
    """Digest of a record's id, as in privacy.tombstone."""
    return F.sha2(F.concat_ws(":", system, record), 256)


def digest_of(record: str) -> str:
    """`record_digest` of a record given as ``system:id``."""
    return hashlib.sha256(record.encode()).hexdigest()


def row_digest(raw: Column) -> Column:
    """Digest of a row in quarantine, as in privacy.tombstone."""
    return F.sha2(raw, 256)


def mark_erased(rows: DataFrame, table: Table, tombstones: DataFrame | None) -> DataFrame:
    """Add ``_erased``: whether the row is of an erased record and is to be dropped.

    A sale of an erased record is kept without its record, or the books would change; a bad row is counted in
    quarantine, but no longer shown.
    """
    kept = rows.withColumn("_erased", F.lit(False))
    if tombstones is None:
        return kept
    shown = _match(rows, row_digest(F.col("_raw")), tombstones)
    shown = shown.withColumn("_raw", F.when(~F.col("_gone"), F.col("_raw"))).drop("_gone")
    if not set(RECORD) <= set(table.names):
        return shown.withColumn("_erased", F.lit(False))
    marked = _match(shown, record_digest(*(F.col(name) for name in RECORD)), tombstones)
    gone, bad = F.col("_gone"), F.size("_reasons") > 0
    sale = F.col("event_type").isin(*SALES) if "event_type" in table.names else F.lit(False)
    changes = {
        "_erased": gone & ~sale & ~bad,
        "_raw": F.when(~gone, F.col("_raw")),
        "source_record_id": F.when(~(gone & (sale | bad)), F.col("source_record_id")),
    }
    return marked.withColumns(changes).select(*kept.columns)


def _match(rows: DataFrame, digest: Column, tombstones: DataFrame) -> DataFrame:
    """Add ``_gone``: whether there is a tombstone with the row's digest."""
    stones = tombstones.select(F.col("record_sha256").alias("_digest"), F.lit(True).alias("_gone"))
    found = rows.withColumn("_digest", digest).join(F.broadcast(stones), on="_digest", how="left")
    return found.withColumn("_gone", F.coalesce("_gone", F.lit(False))).drop("_digest")
