"""Pairwise precision and recall of clusters against a known truth."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


@dataclass(frozen=True)
class PairwiseQuality:
    """Agreement on pairs of records (Menestrina, Whang & Garcia-Molina 2010)."""

    precision: float
    recall: float
    largest_cluster: int
    largest_true_cluster: int
    records: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def evaluate_clusters(clusters: DataFrame, truth: DataFrame) -> PairwiseQuality:
    """Compare ``unique_id, person_id`` with the truth ``unique_id, true_id``; records without truth are left out.

    Pairs are counted from the sizes of the cells of the contingency table, never made.
    """
    joined = clusters.join(truth, on="unique_id", how="inner")
    cells = joined.groupBy("person_id", "true_id").agg(F.count(F.lit(1)).alias("n"))
    pairs = F.sum(F.expr("n * (n - 1) / 2"))
    found = cells.agg(pairs.alias("both"), F.sum("n").alias("records")).first()
    linked = (
        cells.groupBy("person_id")
        .agg(F.sum("n").alias("n"))
        .agg(pairs.alias("pairs"), F.max("n"))
        .first()
    )
    true = (
        cells.groupBy("true_id")
        .agg(F.sum("n").alias("n"))
        .agg(pairs.alias("pairs"), F.max("n"))
        .first()
    )
    both = float(found["both"] or 0)  # type: ignore[index]
    return PairwiseQuality(
        precision=both / linked[0] if linked[0] else 1.0,  # type: ignore[index]
        recall=both / true[0] if true[0] else 1.0,  # type: ignore[index]
        largest_cluster=int(linked[1] or 0),  # type: ignore[index]
        largest_true_cluster=int(true[1] or 0),  # type: ignore[index]
        records=int(found["records"] or 0),  # type: ignore[index]
    )
