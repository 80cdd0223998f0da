"""Pairwise precision and recall of clusters against a known truth."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


@dataclass(frozen=True)
class PairwiseQuality:
    """Agreement on pairs of records (Menestrina, Whang & Garcia-Molina 2010).

    Counts are of records whose truth is known. `exact_clusters`: clusters that hold all records of one true
    cluster and no others.
    """

    records: int
    found_pairs: int
    true_pairs: int
    common_pairs: int
    largest_cluster: int
    largest_true_cluster: int
    true_clusters: int
    exact_clusters: int

    @property
    def precision(self) -> float:
        """Share of the pairs found that are true; 1 where none was found."""
        return self.common_pairs / self.found_pairs if self.found_pairs else 1.0

    @property
    def recall(self) -> float:
        """Share of the true pairs that were found; 1 where there is none."""
        return self.common_pairs / self.true_pairs if self.true_pairs else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def evaluate_clusters(clusters: DataFrame, truth: DataFrame) -> PairwiseQuality:
    """Compare ``unique_id, person_id`` with the truth ``unique_id, true_id``; records without truth are left out.

    Pairs are counted from the sizes of the cells of the contingency table, never made.
    """
    known = truth.where(F.col("true_id").isNotNull())
    joined = clusters.join(known, on="unique_id", how="inner")
    cells = joined.groupBy("person_id", "true_id").agg(F.count(F.lit(1)).alias("n"))
    person, true = Window.partitionBy("person_id"), Window.partitionBy("true_id")
    sized = cells.withColumns(
        {
            "found": F.sum("n").over(person),
            "whole": F.sum("n").over(true),
            # The first cell of a cluster stands for the whole cluster.
            "of_person": F.row_number().over(person.orderBy("true_id")) == 1,
            "of_true": F.row_number().over(true.orderBy("person_id")) == 1,
        }
    )
    row = sized.agg(
        F.sum("n").alias("records"),
        _pairs("n").alias("common_pairs"),
        _pairs("found", "of_person").alias("found_pairs"),
        _pairs("whole", "of_true").alias("true_pairs"),
        F.max("found").alias("largest_cluster"),
        F.max("whole").alias("largest_true_cluster"),
        F.count_if("of_true").alias("true_clusters"),
        F.count_if((F.col("n") == F.col("found")) & (F.col("n") == F.col("whole"))).alias(
            "exact_clusters"
        ),
    ).collect()[0]
    return PairwiseQuality(**{name: int(value or 0) for name, value in row.asDict().items()})


def _pairs(size: str, where: str | None = None) -> Column:
    pairs = F.expr(f"{size} * ({size} - 1) DIV 2")
    return F.sum(F.when(F.col(where), pairs) if where else pairs)
