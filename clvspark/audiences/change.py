"""Whom a change can reach, so that only they are evaluated again.

An audience is a function of what is known of a person on the date (`build_standings`) and of their events. Of the
first a hash is kept: of what the conditions answer about it, not of the values, as a tenth or a chance of being alive
moves of many whenever it moves of some, and few of them cross a bound that somebody asks for. Whose hash is another one
is evaluated again, whatever table it came from. Of the events the change feeds tell: an event is of the person of its
record, or of the one who placed its order; a link that has changed moves the events of its record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.compile.conditions import compile_condition, midnight
from clvspark.audiences.rules import (
    Aggregate,
    Condition,
    Event,
    InAudience,
    Occurrence,
    Sequence,
    Similar,
)
from clvspark.audiences.tables import STATE
from clvspark.lakehouse.subsets import rows_among
from clvspark.lakehouse.texts import hash_columns

_RECORD = ("source_system", "source_record_id")
# Answered by events; by other audiences, whose own conditions are asked; by what is learnt of everybody.
_ASK_MORE = Event | Aggregate | Occurrence | Sequence | InAudience | Similar


@dataclass(frozen=True)
class Feeds:
    """Rows of change feeds, before an update and after it.

    Parameters
    ----------
    events : of sources.event.
    answers : of sources.survey_response.
    links : of identity.person_link.
    orders : of history.order.
    """

    events: DataFrame
    answers: DataFrame
    links: DataFrame
    orders: DataFrame


def describe_states(
    standings: DataFrame, conditions: Iterable[Condition], *, as_of: date
) -> DataFrame:
    """What is kept of each person, as audiences.state. In: rows of `build_standings` for these conditions."""
    asked = {repr(c): c for c in conditions if not isinstance(c, _ASK_MORE)}
    answers = [compile_condition(asked[name], end=midnight(as_of)) for name in sorted(asked)]
    summed = [F.col(name) for name in STATE.names if name not in ("person_id", "state_hash")]
    told = [F.col("member_of"), *summed, *answers]
    return standings.withColumn("state_hash", hash_columns(told)).select(*STATE.names)


def find_moved(states: DataFrame, stored: DataFrame) -> DataFrame:
    """``person_id`` of who is not as they were, has come or has gone. In: audiences.state, now and as it is stored."""
    now = states.select("person_id", F.col("state_hash").alias("_now"))
    was = stored.select("person_id", F.col("state_hash").alias("_was"))
    both = now.join(was, on="person_id", how="full_outer")
    return both.where(~F.col("_now").eqNullSafe(F.col("_was"))).select("person_id")


def find_touched(feeds: Feeds, orders: DataFrame, links: DataFrame) -> DataFrame:
    """``person_id`` of whom an event came, went or changed. In: history.order and current links, as they are now."""
    records = feeds.events.select(*_RECORD).unionByName(feeds.answers.select(*_RECORD)).distinct()
    named = feeds.events.where("order_id IS NOT NULL").select("order_id").distinct()
    found = [
        rows_among(links, records, *_RECORD).select("person_id"),
        rows_among(orders, named, "order_id").select("person_id"),
        feeds.links.select("person_id"),
        feeds.orders.select("person_id"),
    ]
    return reduce(DataFrame.unionByName, found).where("person_id IS NOT NULL").distinct()
