"""Partitions by what there is to shuffle, on one machine whose configuration leaves their number open.

On clusters Spark's adaptive execution finds it. On one machine small tables are not worth what that costs: as many
partitions as cores do for them. Of large ones a partition has to fit into memory, beside those of the other cores and
of the other frames that are made at once, so that their number goes by the rows that a stage reads.
"""

from __future__ import annotations

import math

from pyspark.sql import SparkSession

AUTOMATIC = "spark.clvspark.partitions.automatic"
SHUFFLE_PARTITIONS = "spark.sql.shuffle.partitions"
# A few hundred bytes each in memory, four frames at a time.
_ROWS = 250_000


def spread(spark: SparkSession, rows: int) -> None:
    """Shuffle from now on into partitions for tables of up to so many rows, unless the configuration names a number."""
    if spark.conf.get(AUTOMATIC, "false") == "true":
        partitions = max(spark.sparkContext.defaultParallelism, math.ceil(rows / _ROWS))
        spark.conf.set(SHUFFLE_PARTITIONS, partitions)


def keep_few(spark: SparkSession) -> None:
    """As many partitions as cores from now on, whatever is read: what a stream shuffles is a few rows of it."""
    spread(spark, 0)
    spark.conf.set(AUTOMATIC, "false")
