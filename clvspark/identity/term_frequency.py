"""Term frequencies: the share of records with a value that have this value. Counted at training, then frozen."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from clvspark.identity.train import IdentityModel

_BROADCAST_VALUES = 200_000


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


def count_term_frequencies(records: DataFrame, model: IdentityModel) -> DataFrame:
    """``name, value, share`` of every value of the adjusted columns, in one pass over narrow rows."""
    cells = F.array(
        *(
            F.struct(F.lit(name).alias("name"), F.col(name).alias("value"))
            for name in adjusted_columns(model)
        )
    )
    counted = (
        records.select(F.inline(cells))
        .where("value IS NOT NULL")
        .groupBy("name", "value")
        .agg(F.count(F.lit(1)).alias("n"))
    )
    total = F.sum("n").over(Window.partitionBy("name"))
    return counted.select("name", "value", (F.col("n") / total).alias("share"))


def add_term_frequencies(
    records: DataFrame, frequencies: DataFrame, model: IdentityModel
) -> DataFrame:
    """Add a ``tf_`` column for each adjusted column; a value without a frequency has NULL, as in Splink."""
    sizes = {row["name"]: row["count"] for row in frequencies.groupBy("name").count().collect()}
    for name in adjusted_columns(model):
        shares = frequencies.where(F.col("name") == name).select(
            F.col("value").alias(f"_{name}"), F.col("share").alias(f"tf_{name}")
        )
        if sizes.get(name, 0) <= _BROADCAST_VALUES:
            shares = F.broadcast(shares)
        same = F.col(name) == F.col(f"_{name}")
        records = records.join(shares, on=same, how="left").drop(f"_{name}")
    return records
