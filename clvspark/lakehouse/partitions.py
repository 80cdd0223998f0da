"""Partitions by what there is to shuffle, on one machine whose configuration leaves their number open.

On clusters Spark's adaptive execution finds it. On one machine small tables are not worth what that costs: as many
partitions as cores do for them. Of large ones a partition has to fit into memory, beside those of the other cores and
of the other frames that are made at once, so that their number goes by the rows that a stage reads.
"""

from __future__ import annotations

import math

from pyspark.sql import SparkSession

SHUFFLE_PARTITIONS = "spark.sql.shuffle.partitions"
LEAST = "spark.clvspark.partitions.least"
"""The least number, where the configuration leaves it open."""

_HELD = "spark.clvspark.partitions.held"
# A few hundred bytes each in memory, four frames at a time.
_ROWS = 250_000


def spread(spark: SparkSession, rows: int) -> None:
    """Shuffle from now on into partitions for tables of up to so many rows, where their number is open."""
    least = spark.conf.get(LEAST, None)
    if least is not None and spark.conf.get(_HELD, "false") == "false":
        spark.conf.set(SHUFFLE_PARTITIONS, max(int(least), math.ceil(rows / _ROWS)))


def keep_few(spark: SparkSession) -> None:
    """The least number until `let_go`, whatever is read: what a micro-batch shuffles is a few rows of it."""
    spread(spark, 0)
    spark.conf.set(_HELD, "true")


def let_go(spark: SparkSession) -> None:
    """Let the number go by rows again."""
    spark.conf.set(_HELD, "false")
