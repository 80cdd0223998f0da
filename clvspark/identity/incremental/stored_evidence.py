"""Rows of identity.evidence that a run writes."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.incremental.resolve import Update
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.tables import evidence_table


def rows_to_write(update: Update, *, basis: str, settings: IdentitySettings) -> DataFrame:
    """Rows of identity.evidence that are new or differ; renewed ones have no component yet."""
    names = ("component", "is_divided")
    was = {name: f"_{name}" for name in names}
    now = update.rows.withColumnsRenamed(was).join(update.clusters.drop("cluster"), on="unique_id")
    if update.labels is not None:
        same: Column = F.lit(True)
        for name, old in was.items():
            same &= F.col(name).eqNullSafe(F.col(old))
        now = now.where(~same)
    return now.withColumn("basis", F.lit(basis)).select(*evidence_table(settings).names)
