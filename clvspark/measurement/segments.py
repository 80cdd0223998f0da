"""The effect by decile of CLV and by lifecycle stage, both as they were before anything was sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.measurement.experiments import Rows, correct_family, read_measures
from clvspark.measurement.outcomes import PREDICTED
from clvspark.measurement.people import SEGMENTS
from clvspark.measurement.tables import EXPERIMENT_SEGMENT

SEGMENT_KEYS = ("audience_id", "segment_kind", "segment", "outcome")
# Realised and predicted; a row for each outcome would only make more verdicts by chance.
_JUDGED = ("margin", PREDICTED)


def split_outcomes(outcomes: DataFrame) -> DataFrame:
    """Each outcome of `_JUDGED` once for each kind of segment: `SEGMENT_KEYS`, ``split_group, exact``.

    In: rows of `list_outcomes` with `SEGMENTS`.
    """
    kinds = F.array(
        *(F.struct(F.lit(name).alias("kind"), F.col(name).alias("of")) for name in SEGMENTS)
    )
    exploded = outcomes.where(F.col("outcome").isin(*_JUDGED)).withColumn("_at", F.explode(kinds))
    return exploded.select(
        "audience_id",
        F.col("_at.kind").alias("segment_kind"),
        F.col("_at.of").alias("segment"),
        "outcome",
        "split_group",
        "exact",
    )


def count_segments(outcomes: DataFrame) -> DataFrame:
    """Persons in each group, by `SEGMENT_KEYS`. In: rows of `split_outcomes`."""
    group = F.col("split_group")
    return outcomes.groupBy(*SEGMENT_KEYS).agg(
        F.count_if(group == "treatment").alias("treatment_persons"),
        F.count_if(group == "holdout").alias("holdout_persons"),
    )


def judge_segments(
    counts: Iterable[dict[str, Any]],
    comparisons: Iterable[dict[str, Any]],
    *,
    as_of: date,
    min_persons: int,
) -> Rows:
    """Rows of measurement.experiment_segment, p-values corrected over all segments of a kind and outcome.

    In: rows of `count_segments`; rows of `compare_groups`, of segments large enough. Who looks at many segments finds
    some by chance, so the family is wide.
    """
    found = {tuple(row[name] for name in SEGMENT_KEYS): row for row in comparisons}
    rows = []
    for count in counts:
        key = tuple(count[name] for name in SEGMENT_KEYS)
        few = min(count["treatment_persons"], count["holdout_persons"]) < min_persons
        row = {**dict.fromkeys(EXPERIMENT_SEGMENT.names), **count, "as_of_date": as_of}
        row["status"] = "too_few_persons" if few else "measured"
        rows.append(row if few else row | read_measures(found[key]))
    families: dict[tuple[str, str], Rows] = {}
    for row in rows:
        if row["status"] == "measured":
            families.setdefault((row["segment_kind"], row["outcome"]), []).append(row)
    for family in families.values():
        correct_family(family)
    return sorted(rows, key=lambda row: tuple(row[name] for name in SEGMENT_KEYS))
