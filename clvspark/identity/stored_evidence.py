"""identity.evidence between runs: whether it still says what the last run left, and which of its rows change."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.changes import Renewal
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.tables import evidence_table


def is_intact(stored: DataFrame, basis: str) -> bool:
    """Whether all rows were made on this basis and none is missing, as after an erasure. One pass.

    The smallest record of a component keeps its size: the sum of hashes over all records must be that over the
    smallest records, times their size.
    """
    mark = F.xxhash64("component").cast("decimal(38,0)")
    first = F.col("unique_id") == F.col("component")
    row = stored.agg(
        F.count(F.lit(1)).alias("records"),
        F.count_if(F.col("basis") != basis).alias("others"),
        F.sum(mark).alias("found"),
        F.sum(F.when(first, mark * F.col("component_records"))).alias("expected"),
    ).first()
    return bool(row and row["records"] and not row["others"] and row["found"] == row["expected"])


def gather_rows(renewal: Renewal, evidence: DataFrame) -> DataFrame:
    """The records of `evidence` as identity.evidence has them, identifiers that are shared not blanked."""
    renewed = renewal.renewed
    if renewal.kept is None:
        return renewed
    ids = evidence.select("unique_id")
    kept = renewal.kept.join(F.broadcast(ids), on="unique_id", how="left_semi")
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
        names = ("component", "component_records", "is_divided")
        was = stored.select("unique_id", *(F.col(name).alias(f"_{name}") for name in names))
        was = was.join(F.broadcast(rows.select("unique_id")), on="unique_id", how="left_semi")
        was = was.join(
            F.broadcast(renewal.renewed.select("unique_id")), on="unique_id", how="left_anti"
        )
        same: Column = F.lit(True)
        for name in names:
            same &= F.col(name).eqNullSafe(F.col(f"_{name}"))
        now = now.join(was, on="unique_id", how="left").where(~same)
    return now.withColumn("basis", F.lit(basis)).select(*evidence_table(settings).names)
