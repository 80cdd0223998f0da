"""The outbox: the difference between what a destination should hold and what it has been told."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.tables import OUTBOX

_LIST = ["destination_id", "audience_id", "person_id"]


def write_instructions(outbox: DataFrame, eligible: DataFrame, *, as_of: date) -> DataFrame:
    """New instructions, pending, as activation.outbox.

    In: the outbox so far; ``destination_id, audience_id, person_id`` of everyone who should be on a list now.
    A person on the list who is no longer eligible (left the audience, withdrew consent, was held out) is
    removed, by the address that was told, which may have changed since. The key follows from the list, the
    person and the sequence: written twice, it is one instruction.
    """
    last = _last_instructions(outbox)
    counted = outbox.groupBy(*_LIST).agg(F.max("sequence").alias("_sequence"))
    wanted = eligible.withColumn("_wanted", F.lit(True))
    both = wanted.join(last, on=_LIST, how="full_outer").join(counted, on=_LIST, how="left")
    should, holds = (
        F.coalesce("_wanted", F.lit(False)),
        F.coalesce(F.col("_last.operation") == "add", F.lit(False)),
    )
    sequence = (F.coalesce("_sequence", F.lit(0)) + 1).cast("int")
    return (
        both.where(should != holds)
        .select(
            F.sha2(F.concat_ws("|", *_LIST, sequence.cast("string")), 256).alias("outbox_id"),
            *_LIST,
            sequence.alias("sequence"),
            F.when(should, "add").otherwise("remove").alias("operation"),
            F.lit("pending").alias("status"),
            F.lit(as_of).alias("created_on"),
            F.lit(None).cast("date").alias("delivered_on"),
            F.when(~should, F.col("_last.address")).alias("address"),
        )
        .select(*OUTBOX.names)
    )


def list_held(outbox: DataFrame) -> DataFrame:
    """``destination_id, audience_id, address`` of everyone whose last instruction is an add."""
    on = _last_instructions(outbox).where("_last.operation = 'add'")
    return on.select("destination_id", "audience_id", "_last.address")


def _last_instructions(outbox: DataFrame) -> DataFrame:
    """The last instruction of each person and list that was not cancelled, as ``_last``."""
    last = F.max_by(F.struct("operation", "address"), "sequence").alias("_last")
    return outbox.where("status <> 'cancelled'").groupBy(*_LIST).agg(last)
