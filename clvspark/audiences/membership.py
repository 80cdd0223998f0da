"""Memberships over time: who entered, who left, who stayed."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.tables import MEMBERSHIP, MEMBERSHIP_EVENT

_KEY = ["audience_id", "person_id"]


def update_membership(before: DataFrame, members: DataFrame, *, as_of: date) -> DataFrame:
    """The whole of audiences.membership after an evaluation.

    In: the table before; ``audience_id, version, person_id`` of today's members. A member who stays keeps the
    day of entry; one who leaves is kept as exited; one who comes back enters anew.
    """
    day = F.lit(as_of)
    old = before.select(
        *_KEY,
        F.col("status").alias("_status"),
        F.col("version").alias("_version"),
        F.col("qualified_on").alias("_since"),
        F.col("exited_on").alias("_until"),
    )
    both = members.join(old, on=_KEY, how="full_outer")
    inside, was_inside = (
        F.col("version").isNotNull(),
        F.coalesce(F.col("_status") == "realized", F.lit(False)),
    )
    return both.select(
        *_KEY,
        F.when(inside, "realized").otherwise("exited").alias("status"),
        F.coalesce("version", "_version").alias("version"),
        F.when(inside & ~was_inside, day).otherwise(F.col("_since")).alias("qualified_on"),
        F.when(inside, None).when(was_inside, day).otherwise(F.col("_until")).alias("exited_on"),
    ).select(*MEMBERSHIP.names)


def list_transitions(before: DataFrame, after: DataFrame, *, as_of: date) -> DataFrame:
    """Entries and exits of a date, as audiences.membership_event.

    In: ``audience_id, person_id`` of the members before the date; audiences.membership as it is after it.
    """
    was = before.select(*_KEY, F.lit(True).alias("_was"))
    now = after.select(*_KEY, "version", (F.col("status") == "realized").alias("_is"))
    moved = now.join(was, on=_KEY, how="left").where(
        F.col("_is") != F.coalesce("_was", F.lit(False))
    )
    transition = F.when(F.col("_is"), "enter").otherwise("exit")
    identity = F.concat_ws(
        "|", *_KEY, transition, F.lit(str(as_of)), F.col("version").cast("string")
    )
    return moved.select(
        F.sha2(identity, 256).alias("event_id"),
        *_KEY,
        transition.alias("transition"),
        F.lit(as_of).alias("happened_on"),
        "version",
    ).select(*MEMBERSHIP_EVENT.names)
