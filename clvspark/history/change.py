"""What of the history a change of events or identities can reach, and only that built anew.

An order is made of the events with its id, a session of those with its id or of the visitor's on one channel, an
interaction of its event and the id of its session, a day of a person of the orders and interactions of that day; which
person an event is of, its record's link says, and what its line costs, its product. So where E are the events that
came, went or changed, those of records whose link did, and those of a product whose cost did, nothing can differ but
the orders with an event in E, the sessions that name one or are of the same visitor, the interactions of these, and the
days of persons on which an order or interaction of E was or is. All are found among the whole by what is sent to every
core, and built by the same functions as everything is at first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.history.histories import Histories, Sources
from clvspark.history.interactions import answer_id, build_interactions
from clvspark.history.orders import attach_person, build_orders
from clvspark.history.person_day import summarise_person_days
from clvspark.history.sessions import (
    assign_sessions,
    build_sessions,
    gap_session,
    named_session,
)
from clvspark.lakehouse.subsets import rows_among, rows_beside
from clvspark.sources.tables import SINCE_EVER, costs_of

_RECORD = ("source_system", "source_record_id")
_DAY = ("person_id", "day")


@dataclass(frozen=True)
class Changes:
    """Rows of change feeds, with ``_change_type``, before an update and after it.

    Parameters
    ----------
    events : of sources.event.
    links : of identity.person_link.
    answers : of sources.survey_response.
    recosted : ``order_id`` of orders that have a product whose cost is another one on their day; None: no order has.
    """

    events: DataFrame
    links: DataFrame
    answers: DataFrame
    recosted: DataFrame | None = None


@dataclass(frozen=True)
class Renewal:
    """`now` takes the place of `before`, the rows that the tables had of it.

    Parameters
    ----------
    persons : ``person_id`` of those with a day among either.
    """

    now: Histories
    before: Histories
    persons: DataFrame


def renew_histories(
    sources: Sources,
    changes: Changes,
    before: Histories,
    *,
    default_margin_rate: float,
    gap_minutes: int,
) -> Renewal:
    """Build anew what the changes can reach. In: all that there is, and the tables as they are."""
    relinked = changes.links.select(*_RECORD).distinct()
    moved = rows_among(sources.events, relinked, *_RECORD)
    touched = changes.events.drop("_change_type").unionByName(moved)
    touched = touched.select(*_ids(), "order_id")
    if changes.recosted is not None:
        touched = touched.unionByName(changes.recosted, allowMissingColumns=True)
    touched = touched.localCheckpoint(eager=False)
    reached = _reach(sources, touched, changes.links).localCheckpoint(eager=False)
    ids = touched.select("event_id").distinct()

    orders = touched.select("order_id").where("order_id IS NOT NULL").distinct()
    lines = rows_among(reached, orders, "order_id")
    bought = build_orders(lines, sources.products, default_margin_rate=default_margin_rate)
    bought = bought.localCheckpoint(eager=False)
    had = rows_among(before.orders, orders, "order_id").localCheckpoint(eager=False)

    touches = assign_sessions(reached.where("_is_touch"), gap_minutes=gap_minutes)
    touches = touches.localCheckpoint(eager=False)
    asked = _find_answers(sources, changes.answers, relinked)
    answer_ids = asked.select("event_id").distinct()
    done = build_interactions(touches, attach_person(asked.drop("event_id"), sources.links))
    done = done.localCheckpoint(eager=False)
    again = ids.unionByName(touches.select("event_id")).unionByName(answer_ids).distinct()
    did = rows_among(before.interactions, again, "event_id").localCheckpoint(eager=False)

    visits = build_sessions(touches)
    were = rows_among(before.sessions, _session_ids(touched, touches), "session_id")

    own = ids.unionByName(answer_ids)
    days = _list_days("ordered_at", bought, had).unionByName(
        _list_days("occurred_at", *(rows_among(rows, own, "event_id") for rows in (done, did)))
    )
    days = days.distinct().localCheckpoint(eager=False)
    sales = _replace(before.orders, orders, bought, "order_id")
    contacts = _replace(before.interactions, again, done, "event_id")
    summed = summarise_person_days(
        _on(sales, days, "ordered_at"), _on(contacts, days, "occurred_at")
    )
    return Renewal(
        Histories(bought, done, visits, summed),
        Histories(had, did, were, rows_among(before.days, days, *_DAY)),
        days.select("person_id").distinct(),
    )


def find_recosted(products: DataFrame, events: DataFrame) -> DataFrame | None:
    """``order_id`` of the orders that changes of products reach; None where no cost has changed.

    In: rows of the change feed of sources.product; sources.event. A cost is for orders from its day on, the first one
    for those before it too, so of a product whose costs have changed all orders are reached from the first day on of
    which another one is known.
    """
    told = products.select("product_id", "_change_type", F.posexplode_outer(costs_of()))
    day = F.when(F.col("pos") > 0, F.col("col.valid_from")).otherwise(F.lit(SINCE_EVER))
    entry = F.struct(day.alias("since"), F.col("col.unit_cost"))
    # Rows of a product before and after each change of it: what all of them say has not changed.
    is_whole = F.col("_change_type").isin("insert", "delete")
    states = F.count_if(F.coalesce(F.col("pos"), F.lit(0)) == 0).alias("_states")
    by_product = told.groupBy("product_id").agg(states, F.bool_or(is_whole).alias("_is_whole"))
    by_entry = told.groupBy("product_id", entry.alias("_entry")).agg(F.count(F.lit(1)).alias("_n"))
    changed = by_entry.join(by_product, on="product_id", how="inner").where(
        "_is_whole OR _n < _states"
    )
    since = F.when(F.bool_or("_is_whole"), F.lit(SINCE_EVER)).otherwise(F.min("_entry.since"))
    found = changed.groupBy("product_id").agg(since.alias("_since")).localCheckpoint()
    if found.isEmpty():
        return None
    lines = events.where("order_id IS NOT NULL").select("product_id", "order_id", "occurred_at")
    reached = lines.join(F.broadcast(found), on="product_id", how="inner")
    reached = reached.where(F.to_date("occurred_at") >= F.col("_since"))
    return reached.select("order_id").distinct().localCheckpoint()


def _ids() -> list[Column]:
    return [
        F.col("event_id"),
        *(F.col(name) for name in _RECORD),
        named_session().alias("_session"),
    ]


def _reach(sources: Sources, touched: DataFrame, relinked: DataFrame) -> DataFrame:
    """Events, with their person, of the same orders, named sessions and visitors as the touched ones.

    ``_is_touch`` tells that the session of the event, if it has one, is there as a whole.
    """
    records = touched.select(*_RECORD).where("source_record_id IS NOT NULL").distinct()
    persons = rows_among(sources.links, records, *_RECORD).select("person_id")
    persons = persons.unionByName(relinked.select("person_id")).distinct()
    visitors = rows_among(sources.links, persons, "person_id").select(*_RECORD)
    visitors = visitors.unionByName(records).distinct()
    marks: dict[str, tuple[DataFrame, list[str]]] = {
        "_is_line": (touched.select("order_id").distinct(), ["order_id"]),
        "_is_visit": (touched.select("_session").distinct(), ["_session"]),
        "_is_own": (visitors, list(_RECORD)),
    }
    found = sources.events.withColumn("_session", named_session())
    for mark, (few, key) in marks.items():
        found = found.join(F.broadcast(few.withColumn(mark, F.lit(True))), on=key, how="left")
    is_touch = F.coalesce(F.expr("_is_visit OR _is_own"), F.lit(False)).alias("_is_touch")
    found = found.where(" OR ".join(marks)).select(*sources.events.columns, is_touch)
    return attach_person(found, sources.links)


def _session_ids(touched: DataFrame, touches: DataFrame) -> DataFrame:
    """Sessions that there may be or have been: named ones, and those that begin with one of the events."""
    ids = [
        touched.select(F.col("_session").alias("session_id")),
        touched.select(gap_session("event_id").alias("session_id")),
        touches.select(gap_session("event_id").alias("session_id")),
        touches.select("session_id"),
    ]
    return reduce(DataFrame.unionByName, ids).where("session_id IS NOT NULL").distinct()


def _find_answers(sources: Sources, changed: DataFrame, relinked: DataFrame) -> DataFrame:
    """Answers that changed, and those of records whose link did, with the ``event_id`` of the interaction."""
    answers = sources.answers.withColumn("event_id", answer_id())
    came = changed.select(answer_id().alias("event_id")).distinct()
    theirs = rows_among(answers, relinked, *_RECORD).select("event_id")
    return rows_among(answers, came.unionByName(theirs).distinct(), "event_id")


def _list_days(at: str, *parts: DataFrame) -> DataFrame:
    rows = reduce(DataFrame.unionByName, (part.select("person_id", at) for part in parts))
    return rows.where("person_id IS NOT NULL").select("person_id", _day(at)).distinct()


def _on(rows: DataFrame, days: DataFrame, at: str) -> DataFrame:
    """Rows of the days of persons."""
    return rows_among(rows.withColumn("day", _day(at)), days, *_DAY)


def _day(at: str) -> Column:
    return F.to_date(at).alias("day")


def _replace(rows: DataFrame, keys: DataFrame, by: DataFrame, key: str) -> DataFrame:
    """Rows whose key is none of `keys`, and the rows `by`."""
    return rows_beside(rows, keys, key).select(*by.columns).unionByName(by)
