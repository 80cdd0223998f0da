"""Pairs that share a trusted identifier: one person whatever the evidence says."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.settings import IdentitySettings


def trusted_pairs(records: DataFrame, settings: IdentitySettings) -> DataFrame | None:
    """``unique_id_l < unique_id_r``: each record with the smallest of its value; None without such identifiers."""
    parts = []
    for name in settings.trusted_identifiers:
        value = F.col(name).alias("value")
        known = records.where(F.col(name).isNotNull()).select("unique_id", value)
        smallest = known.groupBy("value").agg(F.min("unique_id").alias("unique_id_l"))
        star = known.join(smallest, on="value").where("unique_id_l < unique_id")
        parts.append(star.select("unique_id_l", F.col("unique_id").alias("unique_id_r")))
    return reduce(DataFrame.unionByName, parts).distinct() if parts else None
