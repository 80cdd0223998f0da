"""Which destinations get a delivery, and its number."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from clvspark.activation.destinations.sender import batch_of
from clvspark.activation.destinations.settings import AnyDestination


def next_batch(count: Row | None) -> int:
    """Number of the destination's next delivery of the date."""
    return count["batches"] + 1 if count else 1


def is_due(destination: AnyDestination, count: Row | None) -> bool:
    """Whether the destination gets a delivery: with something to tell, or a list to be told as a whole.

    Of files the first of a date always.
    """
    is_first_file = destination.kind == "file" and next_batch(count) == 1
    is_whole = destination.mode != "incremental"
    return is_first_file or is_whole or bool(count and count["waiting"])


def count_waiting(outbox: DataFrame, delivered: DataFrame, as_of: date) -> DataFrame:
    """By destination: what waits, what of it erasures left or was tried in vain, deliveries of the date so far.

    In: activation.outbox, activation.delivery. An erasure may take all instructions of a delivery; its files, which
    went out, are still known.
    """
    waits = F.col("status") == "pending"
    batch = F.when(F.col("delivered_on") == F.lit(as_of), F.coalesce("batch", F.lit(1)))
    told = outbox.select(
        "destination_id",
        waits.cast("int").alias("waits"),
        (waits & F.col("person_id").isNull()).cast("int").alias("erased"),
        (waits & F.col("line_id").isNotNull()).cast("int").alias("tried"),
        batch.alias("batch"),
    )
    sent = delivered.where((F.col("as_of_date") == F.lit(as_of)) & F.col("file_name").isNotNull())
    nothing = F.lit(0)
    files = sent.select(
        "destination_id",
        nothing.alias("waits"),
        nothing.alias("erased"),
        nothing.alias("tried"),
        batch_of(F.col("file_name")).alias("batch"),
    )
    return (
        told.unionByName(files)
        .groupBy("destination_id")
        .agg(
            F.sum("waits").alias("waiting"),
            F.sum("erased").alias("erased"),
            F.coalesce(F.sum("tried"), nothing).alias("tried"),
            F.coalesce(F.max("batch"), nothing).alias("batches"),
        )
    )
