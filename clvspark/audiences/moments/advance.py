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
from clvspark.audiences.moments.triggers import CART_ABANDONED
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
    void: DataFrame | None = None,
) -> DataFrame:
    """audiences.journey after the day `until`.

    In: the journeys so far, at most one a person and moment under way; ``moment_id, person_id, triggered_on`` and
    ``moment_id, person_id, happened_on, reason`` of the days after those that the journeys know, up to `until`. Who is
    under way does not enter again; who was may as the re-entry policy of the moment says, to which rows of `list_void`
    are journeys as well; nobody enters on the day of such a one.
    """
    ends = endings.select(*_KEY, "happened_on", "reason")
    is_open = F.col("ended_on").isNull()
    over = journeys.where(~is_open).select(*_KEY, "ended_on")
    if void is not None:
        over = over.unionByName(void)
        same = void.withColumnRenamed("ended_on", "triggered_on")
        triggers = triggers.join(same, on=[*_KEY, "triggered_on"], how="left_anti")
    under_way = _find_ends(journeys.where(is_open).drop("ended_on", "end_reason"), ends)
    wanted = triggers.select(*_KEY, F.col("triggered_on").alias("entered_on")).distinct()
    possible = _find_ends(_plan(wanted, moments), ends)
    entered = _enter(possible, over, under_way, moments)
    found = journeys.where(~is_open).select(*JOURNEY.names)
    for part in (under_way, entered):
        found = found.unionByName(_note_ends(part, until))
    return found


def list_void(entered: DataFrame, triggers: DataFrame) -> DataFrame:
    """``moment_id, person_id, ended_on`` of journeys that ended on the day of their entry, or do by what is known now.

    In: rows of audiences.journey of days that are looked at again, see `keep_entered`; triggers of the same days.
    """
    own = entered.select(*_KEY, F.col("entered_on").alias("triggered_on"), "ended_on")
    was_void = own.where("ended_on = triggered_on")
    untriggered = own.join(triggers, on=[*_KEY, "triggered_on"], how="left_anti")
    found = was_void.unionByName(untriggered)
    return found.select(*_KEY, F.col("triggered_on").alias("ended_on")).distinct()


def keep_entered(journeys: DataFrame, entered: DataFrame, endings: DataFrame) -> DataFrame:
    """The journeys, with those that somebody has entered by an earlier look at the same days: entered stays entered.

    In: `advance_journeys`; rows of audiences.journey that it has not been told of, of whoever the persons are today,
    with ``_was``, the person until now; the endings that it was told of. Who would enter on the same day by what is
    known now is on the journey that they have entered. Who would not has left it on the day of the entry, and is not
    taken up again: a message cannot be taken back, and shall not be sent twice.
    """
    day = [*_KEY, "entered_on"]
    own = F.col("_was") == F.col("person_id")
    order = Window.partitionBy(*day).orderBy(~own, "journey_id")
    kept = entered.select(
        *day,
        (F.row_number().over(order) == 1).alias("_is_first"),
        F.struct("journey_id", "version", "ends_on", "ended_on", "end_reason", own.alias("own")).alias("_kept"),
    )  # fmt: skip
    reasons = endings.groupBy(*_KEY, F.col("happened_on").alias("entered_on")).agg(
        F.min("reason").alias("_reason")
    )
    kept = kept.join(reasons, on=day, how="left")
    now = journeys.select(
        *day,
        F.lit(True).alias("_is_first"),
        F.struct("journey_id", "version", "ends_on", "ended_on", "end_reason").alias("_now"),
    )
    both = now.join(kept, on=[*day, "_is_first"], how="full_outer")
    was_void = F.col("_kept.ended_on") == F.col("entered_on")
    is_void = F.col("_kept").isNotNull() & (
        F.col("_now").isNull() | F.coalesce(was_void, F.lit(False))
    )
    why = F.when(was_void, F.col("_kept.end_reason")).otherwise(
        F.coalesce("_reason", F.when(F.col("_kept.own"), "untriggered").otherwise("merged"))
    )
    columns = {
        "journey_id": F.coalesce("_kept.journey_id", "_now.journey_id"),
        "version": F.coalesce("_kept.version", "_now.version"),
        "ends_on": F.when(is_void, F.col("_kept.ends_on")).otherwise(F.col("_now.ends_on")),
        "ended_on": F.when(is_void, F.col("entered_on")).otherwise(F.col("_now.ended_on")),
        "end_reason": F.when(is_void, why).otherwise(F.col("_now.end_reason")),
    }
    return both.withColumns(columns).select(*JOURNEY.names)


def hold_back(
    triggers: DataFrame, busy: DataFrame, entered: DataFrame, moments: Sequence[Moment], *, on: date
) -> DataFrame:
    """Triggers but for carts of the date `on` whose person may yet order.

    In: `list_triggers`; ``person_id`` of whoever is still looking around; journeys entered on the date, whose trigger
    has counted before.
    """
    names = [
        m.id for m in moments if m.trigger.happened and m.trigger.happened.type == CART_ABANDONED
    ]
    if not names:
        return triggers
    key = [*_KEY, "triggered_on"]
    early = busy.select("person_id", F.explode(F.array(*map(F.lit, names))).alias("moment_id"))
    early = early.withColumn("triggered_on", F.lit(on))
    counted = entered.select(*_KEY, F.col("entered_on").alias("triggered_on"))
    return triggers.join(early.join(counted, on=key, how="left_anti"), on=key, how="left_anti")


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
    known = over.unionByName(under_way.select(*_KEY, F.col("_end.happened_on").alias("ended_on")))
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
