"""Events on the web and in apps become sessions, whether or not their system names these."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.history.tables import SESSION
from clvspark.privacy.tombstones import SALES

# What people do while they look around. An order joins them where it was not made in a store.
BROWSING = ("visit", "view", "cart", "checkout", "app_open", "app_view")
_GAP = "gap:"
_SECONDS_PER_MINUTE = 60


def assign_sessions(events: DataFrame, *, gap_minutes: int) -> DataFrame:
    """Events with the session that they belong to in ``session_id``, NULL where they belong to none.

    In: sources.event with person_id. A session that its system names is one; the system that sent the event is put
    before it. Other events of `BROWSING`, and orders that were not made in a store, belong together while less than
    `gap_minutes` lie between each and the next, on one channel and of one person, or of one record whose person is
    not known. What names neither record nor session belongs to none; sales that belong to none, and what changes
    orders, are left out.
    """
    named = F.col("session_id").isNotNull()
    visitor = F.coalesce("person_id", F.concat_ws(":", "source_system", "source_record_id"))
    may_follow = F.col("event_type").isin(*BROWSING)
    may_follow |= (F.col("event_type") == "order") & F.col("store_id").isNull()
    is_loose = ~named & F.col("source_record_id").isNotNull() & may_follow
    marked = events.withColumns({"_is_loose": is_loose, "_visitor": visitor})
    is_part = ~F.col("event_type").isin(*SALES) | (named & (F.col("event_type") == "order"))
    settled = marked.where(~F.col("_is_loose") & is_part).withColumn("session_id", named_session())
    loose = _join_by_gap(marked.where("_is_loose"), seconds=gap_minutes * _SECONDS_PER_MINUTE)
    return settled.select(*events.columns).unionByName(loose.select(*events.columns))


def _join_by_gap(events: DataFrame, *, seconds: int) -> DataFrame:
    order = Window.partitionBy("_visitor", "channel").orderBy("occurred_at", "event_id")
    pause = F.unix_micros("occurred_at") - F.lag(F.unix_micros("occurred_at")).over(order)
    begins = pause.isNull() | (pause >= seconds * 1_000_000)
    begun = events.withColumn("_first", F.when(begins, F.col("event_id")))
    first = F.last("_first", ignorenulls=True).over(order)
    return begun.withColumn("session_id", gap_session(first))


def named_session() -> Column:
    """Id of the session that the system names which sent the event; NULL where it names none."""
    sender = F.substring_index("event_id", ":", 1)
    return F.when(F.col("session_id").isNotNull(), F.concat_ws(":", sender, "session_id"))


def gap_session(first: Column | str) -> Column:
    """Id of a session without a name, after its first event."""
    return F.concat(F.lit(_GAP), first)


def build_sessions(events: DataFrame) -> DataFrame:
    """Add up the events of each session.

    In: rows of `assign_sessions`. Out: history.session. The person is that of the last event that names one: who
    signs in during a visit is whose visit it was from its start. Records are those of today's identities, so that a
    visit of somebody unknown becomes that of a person once their record is resolved and the history is built anew;
    its ``session_id`` stays unless two visits turn out to be one.
    """
    in_turn = F.struct("occurred_at", "event_id")
    named = F.when(F.col("person_id").isNotNull(), in_turn)
    sessions = events.where("session_id IS NOT NULL").groupBy("session_id")
    found = sessions.agg(
        F.max_by("person_id", named).alias("person_id"),
        F.min_by("channel", in_turn).alias("channel"),
        F.min("occurred_at").alias("started_at"),
        F.max("occurred_at").alias("ended_at"),
        F.count(F.lit(1)).cast("int").alias("events"),
        _any_of("cart").alias("has_cart"),
        _any_of("checkout").alias("has_checkout"),
        _any_of("order").alias("has_order"),
    )
    wanted = F.col("has_cart") | F.col("has_checkout")
    return found.withColumn("is_cart_abandoned", wanted & ~F.col("has_order")).select(
        *SESSION.names
    )


def _any_of(event_type: str) -> Column:
    return F.bool_or(F.col("event_type") == event_type)
