"""What ends journeys: an order, the end of a decline, leaving the audience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from clvspark.audiences.moments.definitions import Moment
from clvspark.audiences.moments.triggers import ORDER, Evidence, count_move

_ENDING = "moment_id string, person_id string, happened_on date, reason string"


def list_endings(
    evidence: Evidence, moments: Sequence[Moment], *, since: Mapping[str, date], until: date
) -> DataFrame:
    """``moment_id, person_id, happened_on, reason`` of what ends journeys after `since` until `until`.

    In: by moment, the last day that has been looked at. An order of a day is known on the next one.
    """
    none = evidence.happenings.sparkSession.createDataFrame([], _ENDING)
    found = [
        _list_reason(evidence, moment, reason, since[moment.id], until)
        for moment in moments
        for reason in moment.exits
    ]
    return reduce(DataFrame.unionByName, found, none)


def _list_reason(
    evidence: Evidence, moment: Moment, reason: str, since: date, until: date
) -> DataFrame:
    if reason == "order":
        found = _list_orders(evidence.happenings)
    elif reason == "recovered":
        found = evidence.value_changes.where("NOT is_declining").select(
            "person_id", F.col("as_of_date").alias("happened_on")
        )
    else:
        found = _list_leavers(evidence.membership_events, moment.own_audiences)
    day = F.col("happened_on")
    new = found.where((day > F.lit(since)) & (day <= F.lit(until))).distinct()
    return new.select(
        F.lit(moment.id).alias("moment_id"),
        "person_id",
        "happened_on",
        F.lit(reason).alias("reason"),
    )


def _list_orders(happenings: DataFrame) -> DataFrame:
    bought = happenings.where(F.col("type") == ORDER)
    return bought.select("person_id", F.date_add(F.to_date("at"), 1).alias("happened_on"))


def _list_leavers(events: DataFrame, audiences: Sequence[str]) -> DataFrame:
    """Days after which somebody who was in one of the audiences is in none of them."""
    moves = events.where(F.col("audience_id").isin(*audiences))
    daily = moves.groupBy("person_id", "happened_on").agg(F.sum(count_move()).alias("_move"))
    so_far = Window.partitionBy("person_id").orderBy("happened_on")
    inside = daily.withColumn("_inside", F.sum("_move").over(so_far))
    return inside.where("_inside <= 0").select("person_id", "happened_on")
