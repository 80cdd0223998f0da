"""Rows of identity.evidence that a run writes."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.incremental.changes import Renewal
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.subsets import rows_among, rows_beside
from clvspark.identity.tables import evidence_table


def gather_rows(renewal: Renewal, evidence: DataFrame) -> DataFrame:
    """The records of `evidence` as identity.evidence has them, identifiers that are shared not blanked."""
    renewed = renewal.renewed
    if renewal.kept is None:
        return renewed
    kept = rows_among(renewal.kept, evidence)
    return kept.withColumn("is_touched", F.lit(False)).unionByName(renewed)


def rows_to_write(
    rows: DataFrame,
    clusters: DataFrame,
    renewal: Renewal,
    stored: DataFrame | None,
    *,
    basis: str,
    settings: IdentitySettings,
) -> DataFrame:
    """Rows of identity.evidence that are new or differ. In: `gather_rows`; `incremental.Update.clusters`."""
    now = rows.join(clusters.drop("cluster"), on="unique_id", how="inner")
    if stored is not None and not renewal.everything:
        names = ("component", "is_divided")
        was = stored.select("unique_id", *(F.col(name).alias(f"_{name}") for name in names))
        was = rows_beside(rows_among(was, rows), renewal.renewed)
        same: Column = F.lit(True)
        for name in names:
            same &= F.col(name).eqNullSafe(F.col(f"_{name}"))
        now = now.join(was, on="unique_id", how="left").where(~same)
    return now.withColumn("basis", F.lit(basis)).select(*evidence_table(settings).names)
