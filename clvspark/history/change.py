"""What of the history a change of events or identities can reach, and only that built anew.

An order is made of the events with its id, an interaction of its event, a day of a person of the orders and
interactions of that day; which person an event is of, its record's link says. So where E are the events that came,
went or changed, and those of records whose link did, nothing can differ but the orders with an event in E, the
interactions in E, and the days of persons on which one of these was or is. All three are found among the whole by
what is sent to every core, and built by the same functions as everything is at first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.history.orders import attach_person, build_interactions, build_orders
from clvspark.history.person_day import summarise_person_days

_RECORD = ("source_system", "source_record_id")
_DAY = ("person_id", "day")


@dataclass(frozen=True)
class History:
    """Rows of history.order, history.interaction and history.person_day."""

    orders: DataFrame
    interactions: DataFrame
    days: DataFrame


@dataclass(frozen=True)
class Renewal:
    """What takes the place of what: `now` are the rows built anew, `before` those that the tables had of them."""

    now: History
    before: History


def renew_history(
    events: DataFrame,
    links: DataFrame,
    products: DataFrame,
    changed: DataFrame,
    relinked: DataFrame,
    before: History,
    *,
    default_margin_rate: float,
) -> Renewal:
    """Build anew what a change can reach.

    In: sources.event; identity.person_link, current links only; sources.product; rows of the change feeds of events
    and links; the tables as they are.
    """
    records = relinked.select(*_RECORD).distinct()
    again = _find_events(events, changed, records)
    orders = _order_ids(changed, again).localCheckpoint(eager=False)
    # An order of which one line changed hands has other lines, too.
    lines = attach_person(_among(events, orders, "order_id"), links)
    attached = attach_person(again, links)
    bought = build_orders(lines, products, default_margin_rate=default_margin_rate)
    bought = bought.localCheckpoint(eager=False)
    done = build_interactions(attached).localCheckpoint(eager=False)
    ids = changed.select("event_id").unionByName(again.select("event_id")).distinct()
    had = _among(before.orders, orders, "order_id").localCheckpoint(eager=False)
    did = _among(before.interactions, ids, "event_id").localCheckpoint(eager=False)
    days = _list_days(bought, had, "ordered_at").unionByName(_list_days(done, did, "occurred_at"))
    days = days.distinct().localCheckpoint(eager=False)
    sales = _replace(before.orders, orders, bought, "order_id")
    contacts = _replace(before.interactions, ids, done, "event_id")
    summed = summarise_person_days(
        _on(sales, days, "ordered_at"), _on(contacts, days, "occurred_at")
    )
    were = _among(before.days, days, *_DAY)
    return Renewal(History(bought, done, summed), History(had, did, were))


def _find_events(events: DataFrame, changed: DataFrame, records: DataFrame) -> DataFrame:
    """Events that came or changed, and all of the records."""
    came = changed.where("_change_type IN ('insert', 'update_postimage')").select("event_id")
    marks = {"_came": (came.distinct(), ("event_id",)), "_moved": (records, _RECORD)}
    found = events
    for mark, (few, key) in marks.items():
        marked = F.broadcast(few.withColumn(mark, F.lit(True)))
        found = found.join(marked, on=list(key), how="left")
    found = found.where("_came OR _moved").select(*events.columns)
    return found.localCheckpoint(eager=False)


def _order_ids(*events: DataFrame) -> DataFrame:
    ids = [rows.select("order_id").where("order_id IS NOT NULL") for rows in events]
    return reduce(DataFrame.unionByName, ids).distinct()


def _list_days(now: DataFrame, before: DataFrame, at: str) -> DataFrame:
    rows = now.select("person_id", at).unionByName(before.select("person_id", at))
    return rows.where("person_id IS NOT NULL").select("person_id", _day(at)).distinct()


def _on(rows: DataFrame, days: DataFrame, at: str) -> DataFrame:
    """Rows of the days of persons."""
    return _among(rows.withColumn("day", _day(at)), days, *_DAY)


def _day(at: str) -> Column:
    return F.to_date(at).alias("day")


def _replace(rows: DataFrame, keys: DataFrame, by: DataFrame, key: str) -> DataFrame:
    """Rows whose key is none of `keys`, and the rows `by`."""
    return rows.join(F.broadcast(keys), on=key, how="left_anti").select(*by.columns).unionByName(by)


def _among(rows: DataFrame, few: DataFrame, *key: str) -> DataFrame:
    """Rows whose key is one of `few`, which are sent to every core."""
    return rows.join(F.broadcast(few), on=list(key), how="left_semi").select(*rows.columns)
