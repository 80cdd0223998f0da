"""Journeys move on: entries, ends and re-entries of any number of days, the same as day by day.

A journey is under way on the days from `entered_on` to the one before `ended_on`. When it ends depends on its entry
and on what happened after it alone, never on when somebody looked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.audiences.moments.definitions import Moment
from clvspark.audiences.moments.tables import JOURNEY
from clvspark.identity.tables import resolve_aliases

_KEY = ["moment_id", "person_id"]
_STATE = "struct<free_from:date,journeys:int,entered:array<date>>"


def rewind_journeys(journeys: DataFrame, *, until: Column) -> DataFrame:
    """audiences.journey as it was after the day `until`, whatever has happened since."""
    was_over = F.col("ended_on") <= until
    then = {name: F.when(was_over, F.col(name)) for name in ("ended_on", "end_reason")}
    return journeys.where(F.col("entered_on") <= until).withColumns(then).select(*JOURNEY.names)


def move_to_heirs(journeys: DataFrame, aliases: DataFrame, *, as_of: date) -> DataFrame:
    """The journeys of whoever the persons are today: of two under way in one moment the one entered first goes on.

    In: audiences.journey; identity.alias.
    """
    today = resolve_aliases(journeys, aliases)
    first = Window.partitionBy(*_KEY, F.col("ended_on").isNull()).orderBy(
        "entered_on", "journey_id"
    )
    again = F.col("ended_on").isNull() & (F.row_number().over(first) > 1)
    return (
        today.withColumn("_again", again)
        .select(
            *(name for name in JOURNEY.names if name not in ("ended_on", "end_reason")),
            F.when(F.col("_again"), F.least(F.lit(as_of), "ends_on"))
            .otherwise(F.col("ended_on"))
            .alias("ended_on"),
            F.when(F.col("_again"), "merged").otherwise(F.col("end_reason")).alias("end_reason"),
        )
        .select(*JOURNEY.names)
    )


def advance_journeys(
    journeys: DataFrame,
    triggers: DataFrame,
    endings: DataFrame,
    moments: Sequence[Moment],
    *,
    until: date,
) -> DataFrame:
    """audiences.journey after the day `until`.

    In: the journeys so far, at most one a person and moment under way; ``moment_id, person_id, triggered_on`` and
    ``moment_id, person_id, happened_on, reason`` of the days after those that the journeys know, up to `until`. Who is
    under way does not enter again; who was may as the re-entry policy of the moment says.
    """
    ends = endings.select(*_KEY, "happened_on", "reason")
    is_open = F.col("ended_on").isNull()
    under_way = _find_ends(journeys.where(is_open).drop("ended_on", "end_reason"), ends)
    wanted = triggers.select(*_KEY, F.col("triggered_on").alias("entered_on")).distinct()
    possible = _find_ends(_plan(wanted, moments), ends)
    entered = _enter(possible, journeys.where(~is_open), under_way, moments)
    found = journeys.where(~is_open).select(*JOURNEY.names)
    for part in (under_way, entered):
        found = found.unionByName(_note_ends(part, until))
    return found


def _plan(wanted: DataFrame, moments: Sequence[Moment]) -> DataFrame:
    """Journeys as they would be if everybody who is triggered entered."""
    identity = F.concat_ws("|", *_KEY, F.col("entered_on").cast("string"))
    columns = {
        "journey_id": F.sha2(identity, 256),
        "version": _by_moment({m.id: m.version for m in moments}).cast("int"),
        "ends_on": F.date_add("entered_on", _by_moment({m.id: m.days for m in moments})),
    }
    return wanted.withColumns(columns)


def _find_ends(journeys: DataFrame, ends: DataFrame) -> DataFrame:
    """Add ``_end``, day and reason of the first thing after the entry that ends a journey; at last the plan itself."""
    first = F.min(
        F.when(F.col("happened_on") > F.col("entered_on"), F.struct("happened_on", "reason"))
    ).alias("_first")
    found = journeys.select("journey_id", *_KEY, "entered_on").join(ends, on=_KEY, how="inner")
    planned = F.struct(F.col("ends_on").alias("happened_on"), F.lit("completed").alias("reason"))
    is_before = F.col("_first.happened_on") <= F.col("ends_on")
    return journeys.join(
        found.groupBy("journey_id").agg(first), on="journey_id", how="left"
    ).select(*journeys.columns, F.when(is_before, F.col("_first")).otherwise(planned).alias("_end"))


def _enter(
    possible: DataFrame, over: DataFrame, under_way: DataFrame, moments: Sequence[Moment]
) -> DataFrame:
    """Those of the possible journeys that begin: each when the last one of the person is over, and allowed again."""
    known = over.select(*_KEY, "ended_on").unionByName(
        under_way.select(*_KEY, F.col("_end.happened_on").alias("ended_on"))
    )
    past = known.groupBy(*_KEY).agg(
        F.max("ended_on").alias("_over_on"), F.count(F.lit(1)).cast("int").alias("_journeys")
    )
    order = F.sort_array(
        F.collect_list(F.struct("entered_on", F.col("_end.happened_on").alias("ended_on")))
    )
    asked = possible.groupBy(*_KEY).agg(order.alias("_asked")).join(past, on=_KEY, how="left")
    gap = _by_moment({m.id: m.re_entry.after_days for m in moments})
    most = _by_moment({m.id: _most(m) for m in moments})
    begin = F.struct(
        F.date_add("_over_on", gap).alias("free_from"),
        F.coalesce("_journeys", F.lit(0)).alias("journeys"),
        F.array().cast("array<date>").alias("entered"),
    ).cast(_STATE)

    def take(state: Column, one: Column) -> Column:
        is_free = state["free_from"].isNull() | (one["entered_on"] >= state["free_from"])
        next_state = F.struct(
            F.date_add(one["ended_on"], gap).alias("free_from"),
            (state["journeys"] + 1).alias("journeys"),
            F.concat(state["entered"], F.array(one["entered_on"])).alias("entered"),
        ).cast(_STATE)
        return F.when(is_free & (state["journeys"] < most), next_state).otherwise(state)

    taken = asked.select(*_KEY, F.aggregate("_asked", begin, take)["entered"].alias("_entered"))
    days = taken.select(*_KEY, F.explode("_entered").alias("entered_on"))
    return possible.join(days, on=[*_KEY, "entered_on"], how="left_semi")


def _most(moment: Moment) -> int:
    """Journeys of a person in all."""
    return 1 if moment.re_entry.after_days is None else moment.re_entry.most or 2**31 - 1


def _note_ends(journeys: DataFrame, until: date) -> DataFrame:
    is_over = F.col("_end.happened_on") <= F.lit(until)
    return journeys.withColumns(
        {
            "ended_on": F.when(is_over, F.col("_end.happened_on")),
            "end_reason": F.when(is_over, F.col("_end.reason")),
        }
    ).select(*JOURNEY.names)


def _by_moment(values: Mapping[str, Any]) -> Column:
    """The value of the row's moment, as an int."""
    cases = [F.when(F.col("moment_id") == name, F.lit(value)) for name, value in values.items()]
    return F.coalesce(*cases, F.lit(None)).cast("int")
