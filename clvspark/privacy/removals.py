"""What an erasure leaves in the outbox: removals, so that no destination keeps whom we have forgotten."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.lakehouse import Lakehouse, Table
from clvspark.privacy.identifiers import normalise_identifier


def leave_removals(
    lake: Lakehouse, table: Table, found: DataFrame, requested_on: date
) -> tuple[int, int]:
    """Take the persons of `found` out of the outbox; return the rows touched, and those left as removals.

    One commit turns the last add of every address that a destination may hold into a pending removal that names
    nobody (no person, a random id), and deletes all other rows of the persons. The address is blanked when the
    removal has been delivered.
    """
    persons = found.select("person_id").distinct()
    named = lake.read(table).join(F.broadcast(persons), on="person_id", how="left_semi")
    kept = find_adds_that_may_be_held(named).withColumn("removal_id", F.expr("uuid()"))
    touched = named.select("outbox_id").join(kept, on="outbox_id", how="left").localCheckpoint()
    rows, removals = touched.agg(F.count(F.lit(1)), F.count("removal_id")).collect()[0]
    if not rows:
        return 0, 0
    removal: dict[str, str | Column] = {
        "outbox_id": "s.removal_id",
        "person_id": "NULL",
        "sequence": "1",
        "operation": "'remove'",
        "status": "'pending'",
        "created_on": f"DATE'{requested_on}'",
        "delivered_on": "NULL",
        "batch": "NULL",
        "entry_operation": "NULL",
        "attempts": "NULL",
        "line_id": "NULL",
    }
    # A table that was last written by an older clvspark may lack columns of the contract.
    present = set(lake.storage.read(table.name).columns)
    removal = {name: value for name, value in removal.items() if name in present}
    target = lake.storage.delta(table.name).alias("t")
    merge = target.merge(F.broadcast(touched).alias("s"), "t.outbox_id = s.outbox_id")
    merge.whenMatchedUpdate("s.removal_id IS NOT NULL", removal).whenMatchedDelete().execute()
    return int(rows), int(removals)


def find_adds_that_may_be_held(named: DataFrame) -> DataFrame:
    """``outbox_id`` of the last add of each list and address that no delivered removal has followed.

    A pending add counts as well: a run that was interrupted may have put it into a file already.
    """
    added = (F.col("operation") == "add") & (F.col("status") != "cancelled")
    removed = (F.col("operation") == "remove") & (F.col("status") == "delivered")
    entry = normalise_identifier(F.col("address")).alias("entry")
    last = named.groupBy("destination_id", "audience_id", "person_id", entry).agg(
        F.max_by("outbox_id", F.when(added, F.col("sequence"))).alias("outbox_id"),
        F.max(F.when(added, F.col("sequence"))).alias("added"),
        F.max(F.when(removed, F.col("sequence"))).alias("removed"),
    )
    held = F.col("added") > F.coalesce("removed", F.lit(0))
    return last.where(F.col("entry").isNotNull() & held).select("outbox_id")
