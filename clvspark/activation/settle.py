"""What became of what was told: instructions, dead letters, the log, and what a destination holds now."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.destinations.sender import Outcome
from clvspark.activation.destinations.settings import Destination
from clvspark.activation.lines import enter_address
from clvspark.activation.outbox import last_instructions
from clvspark.activation.tables import DEAD_LETTER, OUTBOX, SNAPSHOT, SYNC_LOG
from clvspark.privacy.identifiers import normalise_identifier

_LIST = ["destination_id", "audience_id", "person_id"]


def match_lines(instructions: DataFrame, lines: DataFrame, destination: Destination) -> DataFrame:
    """Instructions of activation.outbox, each with the ``line_id`` that stands for it and its ``entry_operation``.

    In: pending instructions; the lines built from them. One without a line changes nothing at the destination.
    ``entry_operation`` is on one instruction a line, so that entries can be counted.
    """
    told = lines.select(
        "audience_id",
        "_entry",
        F.col("outbox_id").alias("line_id"),
        F.col("operation").alias("_operation"),
        F.col("_outbox_id").alias("_first"),
    )
    plain = instructions.drop("line_id", "entry_operation").withColumn(
        "_entry", enter_address(destination)
    )
    matched = plain.join(told, on=["audience_id", "_entry"], how="left")
    own = F.when(F.col("_first") == F.col("outbox_id"), F.col("_operation"))
    return matched.withColumn("entry_operation", own).select(*OUTBOX.names)


def settle_instructions(
    matched: DataFrame,
    outcomes: DataFrame,
    *,
    as_of: date,
    batch: int,
    max_attempts: int,
    unmatched: Outcome = "accepted",
) -> DataFrame:
    """Instructions after a delivery, as activation.outbox, with ``_error``.

    In: rows of `match_lines`; outcomes of the lines. What was accepted is delivered, what was rejected is dead, and so
    is what has failed in `max_attempts` runs; all else waits for the next run. `unmatched` is the outcome of what has
    no line. Of an erased person nothing is kept, so the address goes with the delivery.
    """
    results = outcomes.select(
        F.col("outbox_id").alias("line_id"),
        F.col("outcome").alias("_outcome"),
        F.col("error").alias("_error"),
    )
    outcome = F.coalesce("_outcome", F.lit(unmatched))
    tried = outcome.isin("failed", "rejected").cast("int")
    attempts = (F.coalesce("attempts", F.lit(0)) + tried).cast("int")
    is_dead = (outcome == "rejected") | ((outcome == "failed") & (attempts >= max_attempts))
    status = (
        F.when(outcome == "accepted", "delivered").when(is_dead, "dead").otherwise(F.lit("pending"))
    )
    is_delivered = F.col("status") == "delivered"
    settled = matched.join(results, on="line_id", how="left").withColumns(
        {"status": status, "attempts": attempts}
    )
    changes = {
        "delivered_on": F.when(is_delivered, F.lit(as_of)),
        "batch": F.when(is_delivered, F.lit(batch)),
        "entry_operation": F.when(is_delivered, F.col("entry_operation")),
        "address": F.when(~is_delivered | F.col("person_id").isNotNull(), F.col("address")),
    }
    return settled.withColumns(changes).select(*OUTBOX.names, "_error")


def bury_dead(settled: DataFrame, *, as_of: date) -> DataFrame:
    """Rows of activation.dead_letter for the instructions that are dead. In: rows of `settle_instructions`."""
    return (
        settled.where("status = 'dead'")
        .select(
            "outbox_id",
            "destination_id",
            "audience_id",
            "person_id",
            "operation",
            F.col("_error").alias("error"),
            "attempts",
            F.lit(as_of).alias("dead_on"),
            F.lit(None).cast("date").alias("replayed_on"),
        )
        .select(*DEAD_LETTER.names)
    )


def log_lines(
    lines: DataFrame, outcomes: DataFrame, destination: str, *, run_id: str, as_of: date
) -> DataFrame:
    """Rows of activation.sync_log: every line and what came of it."""
    results = outcomes.select("outbox_id", F.col("outcome").alias("status"), "error")
    return (
        lines.join(results, on="outbox_id")
        .select(
            F.lit(destination).alias("destination_id"),
            F.lit(run_id).alias("run_id"),
            F.col("outbox_id").alias("line_id"),
            F.lit(as_of).alias("as_of_date"),
            "audience_id",
            F.col("_person_id").alias("person_id"),
            "operation",
            "status",
            "error",
        )
        .select(*SYNC_LOG.names)
    )


def list_snapshot(outbox: DataFrame) -> DataFrame:
    """Who is on which list of which destination as far as it has confirmed, as activation.snapshot."""
    confirmed = outbox.where("status = 'delivered'")
    last = last_instructions(confirmed, "line_id", "outbox_id", "delivered_on")
    digest = F.sha2(normalise_identifier(F.col("_last.address")), 256)
    return (
        last.where("_last.operation = 'add'")
        .select(
            *_LIST,
            digest.alias("address_sha256"),
            F.coalesce("_last.line_id", "_last.outbox_id").alias("line_id"),
            F.col("_last.delivered_on").alias("since"),
        )
        .select(*SNAPSHOT.names)
    )


def revive_dead(outbox: DataFrame, destination: str) -> DataFrame:
    """The dead instructions of a destination, to be told by the next run as if they were new."""
    dead = outbox.where((F.col("status") == "dead") & (F.col("destination_id") == destination))
    changes = {"status": F.lit("pending"), "attempts": F.lit(0)}
    return dead.withColumns(changes).select(*OUTBOX.names)
