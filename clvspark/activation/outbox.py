"""The outbox: the difference between what a destination should hold and what it has been told."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.activation.tables import OUTBOX
from clvspark.privacy.identifiers import normalise_identifier

_LIST = ["destination_id", "audience_id", "person_id"]


def write_instructions(outbox: DataFrame, eligible: DataFrame, *, as_of: date) -> DataFrame:
    """New instructions, pending, as activation.outbox.

    In: the outbox so far; ``destination_id, audience_id, person_id, address`` of everyone who should be on a list
    now. A person on the list who is no longer eligible (left the audience, withdrew consent, was held out) is
    removed by the address that was told. One who stays under another address is removed by the old one and added
    by the new one. The key follows from the list, the person and the sequence: written twice, it is one
    instruction.
    """
    counted = _of_persons(outbox).groupBy(*_LIST).agg(F.max("sequence").alias("_sequence"))
    wanted = eligible.select(*_LIST, F.col("address").alias("_wanted"))
    both = wanted.join(last_instructions(outbox), on=_LIST, how="full_outer")
    told = F.when(F.col("_last.operation") == "add", F.col("_last.address"))
    changes = both.join(counted, on=_LIST, how="left").select(
        *_LIST, "_sequence", F.posexplode(_list_changes(told, F.col("_wanted"))).alias("_n", "_do")
    )
    sequence = (F.coalesce("_sequence", F.lit(0)) + F.col("_n") + 1).cast("int")
    return changes.select(
        F.sha2(F.concat_ws("|", *_LIST, sequence.cast("string")), 256).alias("outbox_id"),
        *_LIST,
        sequence.alias("sequence"),
        "_do.operation",
        F.lit("pending").alias("status"),
        F.lit(as_of).alias("created_on"),
        F.lit(None).cast("date").alias("delivered_on"),
        F.lit(None).cast("int").alias("batch"),
        F.lit(None).cast("string").alias("entry_operation"),
        "_do.address",
        F.lit(0).alias("attempts"),
        F.lit(None).cast("string").alias("line_id"),
    ).select(*OUTBOX.names)


def list_held(outbox: DataFrame) -> DataFrame:
    """``destination_id, audience_id, person_id, address, outbox_id, status`` of the last instructions that are adds."""
    last = last_instructions(outbox, "outbox_id", "status")
    on = last.where("_last.operation = 'add'")
    return on.select(*_LIST, "_last.address", "_last.outbox_id", "_last.status")


def last_instructions(outbox: DataFrame, *also: str) -> DataFrame:
    """The last instruction of each person and list, as ``_last``: operation, address, `also`."""
    last = F.max_by(F.struct("operation", "address", *also), "sequence").alias("_last")
    return _of_persons(outbox).groupBy(*_LIST).agg(last)


def _list_changes(told: Column, wanted: Column) -> Column:
    """What to do about one person on one list: first the removal of an address, then the new one."""
    same = F.coalesce(normalise_identifier(told) == normalise_identifier(wanted), F.lit(False))
    steps = [
        F.when(
            address.isNotNull() & ~same,
            F.struct(F.lit(name).alias("operation"), address.alias("address")),
        )
        for name, address in (("remove", told), ("add", wanted))
    ]
    return F.array_compact(F.array(*steps))


def _of_persons(outbox: DataFrame) -> DataFrame:
    """Instructions about persons; removals that an erasure left are about nobody any more."""
    return outbox.where("person_id IS NOT NULL")
