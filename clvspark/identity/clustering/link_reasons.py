"""Why a record belongs to its person: the best of its links to the person's other records."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# The better the later.
_REASONS = ("match", "trusted_identifier", "decision")


def explain_links(
    assigned: DataFrame, pairs: DataFrame, trusted: DataFrame | None, bonds: DataFrame | None
) -> DataFrame:
    """``source_system, source_record_id, person_id, reason, probability`` of every record.

    In: ``unique_id, person_id``; pairs; pairs that share a trusted identifier; decisions. The probability is that of
    the strongest link to another record of the person, 1 for a decision, a trusted identifier, and a record alone.
    """
    parts = [pairs.select("unique_id_l", "unique_id_r", "match_probability", _reason("match"))]
    certain = F.lit(1.0).alias("match_probability")
    if trusted is not None:
        reason = _reason("trusted_identifier")
        parts.append(trusted.select("unique_id_l", "unique_id_r", certain, reason))
    if bonds is not None:
        together = bonds.where("bond > 0")
        parts.append(together.select("unique_id_l", "unique_id_r", certain, _reason("decision")))
    held = reduce(DataFrame.unionByName, parts)
    for end in ("l", "r"):
        person = assigned.select(
            F.col("unique_id").alias(f"unique_id_{end}"), F.col("person_id").alias(f"_{end}")
        )
        held = held.join(person, on=f"unique_id_{end}", how="inner")
    ends = F.explode(F.array("unique_id_l", "unique_id_r")).alias("unique_id")
    best = F.max(F.struct(F.col("match_probability").alias("probability"), "rank"))
    strongest = held.where("_l = _r").select(ends, "match_probability", "rank")
    strongest = strongest.groupBy("unique_id").agg(best.alias("best"))
    names = F.array(*(F.lit(name) for name in _REASONS))
    return assigned.join(strongest, on="unique_id", how="left").select(
        F.substring_index("unique_id", ":", 1).alias("source_system"),
        F.expr("substring(unique_id, instr(unique_id, ':') + 1)").alias("source_record_id"),
        "person_id",
        F.coalesce(F.get(names, F.col("best.rank")), F.lit("single")).alias("reason"),
        F.coalesce("best.probability", F.lit(1.0)).alias("probability"),
    )


def _reason(name: str) -> Column:
    return F.lit(_REASONS.index(name)).alias("rank")
