"""Term frequencies: the share of records with a value that have this value. Counted at training, then frozen."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.identity.model.train import IdentityModel

# Hashes of this many values, 16 bytes each, may be sent to every executor.
_BROADCAST_VALUES = 2_000_000


def adjusted_columns(model: IdentityModel) -> list[str]:
    """Columns whose term frequencies the model adjusts for."""
    return sorted(
        {
            level["tf_adjustment_column"]
            for comparison in model.settings["comparisons"]
            for level in comparison["comparison_levels"]
            if level.get("tf_adjustment_column")
        }
    )


def value_hash(name: str) -> Column:
    """Hash of a column's value, NULL where it is NULL: values are personal data, their hashes are kept instead."""
    return F.when(F.col(name).isNotNull(), F.xxhash64(F.lit(name), name))


def count_term_frequencies(records: DataFrame, model: IdentityModel) -> DataFrame:
    """``name, value_hash, share`` of every value of the adjusted columns, in one pass over narrow rows."""
    cells = F.array(
        *(
            F.struct(F.lit(name).alias("name"), value_hash(name).alias("value_hash"))
            for name in adjusted_columns(model)
        )
    )
    counted = (
        records.select(F.inline(cells))
        .where("value_hash IS NOT NULL")
        .groupBy("name", "value_hash")
        .agg(F.count(F.lit(1)).alias("n"))
    )
    total = F.sum("n").over(Window.partitionBy("name"))
    return counted.select("name", "value_hash", (F.col("n") / total).alias("share"))


def add_term_frequencies(
    records: DataFrame, frequencies: DataFrame, model: IdentityModel
) -> DataFrame:
    """Add a ``tf_`` column for each adjusted column; a value without a frequency has NULL, as in Splink."""
    sizes = {row["name"]: row["count"] for row in frequencies.groupBy("name").count().collect()}
    for name in adjusted_columns(model):
        shares = frequencies.where(F.col("name") == name).select(
            F.col("value_hash").alias("_hash"), F.col("share").alias(f"tf_{name}")
        )
        if sizes.get(name, 0) <= _BROADCAST_VALUES:
            shares = F.broadcast(shares)
        hashed = records.withColumn("_hash", value_hash(name))
        records = hashed.join(shares, on="_hash", how="left").drop("_hash")
    return records
