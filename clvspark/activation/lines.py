"""What a destination is told: one line an audience and address, with what becomes of it in the end."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.activation.destinations.layouts import LAYOUTS
from clvspark.activation.destinations.settings import Destination

_COUNTS = ("persons_added", "persons_removed", "entries_added", "entries_removed")
_KEY = ["audience_id", "_entry"]


def build_lines(
    instructions: DataFrame,
    held: DataFrame,
    contacts: DataFrame,
    destination: Destination,
    *,
    as_of: date,
) -> DataFrame:
    """Lines for the destination: operation, identifier as it wants it, facts of who is added.

    In: pending instructions of the destination, as activation.outbox; held: ``audience_id, address, person_id,
    outbox_id, status`` of everyone who is on a list after them; contacts: one row a person with clv and
    ``clv_decile``. Out: one row an audience and address: two persons of a household with one e-mail are one entry,
    which stays while one of them does. Its ``outbox_id`` is the key under which it is sent, however often: that of
    the instruction, or a digest of all the instructions that it stands for, so that one more of them is another key.
    ``_outbox_id`` and ``_person_id`` are those of the instruction that its facts are of.
    """
    told = instructions.where("address IS NOT NULL").select(
        "audience_id", "outbox_id", "operation", "person_id", "address"
    )
    if destination.mode != "incremental":
        known = held.where("status = 'delivered'").withColumn("operation", F.lit("add"))
        told = told.unionByName(known.select(*told.columns))
    entry = enter_address(destination)
    on = held.select("audience_id", entry).distinct().withColumn("_on", F.lit(True))
    values = contacts.select("person_id", "clv", "clv_decile", "lifecycle_stage")
    joined = (
        told.withColumn("_entry", entry)
        .join(on, on=_KEY, how="left")
        .where("operation = 'add' OR _on IS NULL")
        .join(values, on="person_id", how="left")
    )
    best = Window.partitionBy(*_KEY).orderBy(F.desc_nulls_last("clv"), "outbox_id")
    ids = F.sort_array(F.collect_set("outbox_id").over(Window.partitionBy(*_KEY)))
    stays = F.col("_on").isNotNull()
    operation = F.when(stays, "add").otherwise("remove")
    shown = LAYOUTS[destination.layout].show(
        destination.identifier, F.col("address"), hashed=destination.hashed
    )
    lines = (
        joined.withColumns({"_rank": F.row_number().over(best), "_ids": ids})
        .where("_rank = 1")
        .select(
            "audience_id",
            _line_key(operation, destination, as_of).alias("outbox_id"),
            operation.alias("operation"),
            shown.alias(destination.address_column),
            # Of who leaves a list the destination learns nothing but that: they may have withdrawn their consent.
            *(F.when(stays, fact).alias(name) for name, fact in _facts(destination).items()),
            "_entry",
            F.col("outbox_id").alias("_outbox_id"),
            F.col("person_id").alias("_person_id"),
        )
    )
    if destination.mode != "mirror":
        return lines
    # What a mirror is not told to hold it does not hold; of a list that it is no longer told of that must be said.
    is_told = F.col("audience_id").isin(*destination.audiences)
    return lines.where((F.col("operation") == "add") | ~is_told)


def show_lines(lines: DataFrame) -> DataFrame:
    """The lines as the destination sees them."""
    return lines.select(*(name for name in lines.columns if not name.startswith("_")))


def enter_address(destination: Destination) -> Column:
    """What two spellings of one address have in common, as the destination compares them, as ``_entry``."""
    layout = LAYOUTS[destination.layout]
    return layout.normalise(destination.identifier, F.col("address")).alias("_entry")


def _line_key(operation: Column, destination: Destination, as_of: date) -> Column:
    """Key of a line from the ids of its instructions; another set of them, or another outcome, is another key.

    What is told in full is told anew every day: values have changed although no list has.
    """
    day = [F.lit(str(as_of))] if destination.mode == "full" else []
    digest = F.sha2(F.concat_ws("|", operation, F.array_join("_ids", "|"), *day), 256)
    alone = (F.size("_ids") == 1) & (F.col("operation") == operation) & F.lit(not day)
    return F.when(alone, F.col("outbox_id")).otherwise(digest)


def _facts(destination: Destination) -> dict[str, Column]:
    own = LAYOUTS[destination.layout].facts
    if own is not None:
        return {name: convert(F.col(fact)) for fact, (name, convert) in own.items()}
    plain = {"clv": F.round("clv", 2)}
    return {name: plain.get(fact, F.col(fact)) for fact, name in destination.fields.items()}


def count_operations(instructions: DataFrame, lines: DataFrame) -> dict[str, dict[str, int]]:
    """Persons and entries that are added and removed, by audience, as `Delivery` wants them.

    In: the instructions of a delivery, and the lines built from them.
    """
    counted: dict[str, dict[str, int]] = {}
    for what, rows in (("persons", instructions), ("entries", lines)):
        found = rows.groupBy("audience_id").agg(
            F.count_if(F.col("operation") == "add").alias("added"),
            F.count_if(F.col("operation") == "remove").alias("removed"),
        )
        for audience, added, removed in found.collect():
            numbers = counted.setdefault(audience, dict.fromkeys(_COUNTS, 0))
            numbers |= {f"{what}_added": added, f"{what}_removed": removed}
    return dict(sorted(counted.items()))
