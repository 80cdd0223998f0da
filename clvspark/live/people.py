"""Who the events of a micro-batch are of, and what they did lately."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.happenings import list_happenings
from clvspark.audiences.rules.streaming import STREAM_HOURS
from clvspark.history.interactions import build_interactions
from clvspark.history.orders import attach_person, build_orders
from clvspark.lakehouse.subsets import rows_among

RECORD = ("source_system", "source_record_id")


def list_records(events: DataFrame) -> DataFrame:
    """``source_system, source_record_id`` of the records that events name."""
    return events.where("source_record_id IS NOT NULL").select(*RECORD).distinct()


def find_persons(records: DataFrame, links: DataFrame) -> DataFrame:
    """``person_id`` of records. In: rows of `list_records`; current links."""
    return rows_among(links, records, *RECORD).select("person_id").distinct()


def count_unknown(events: DataFrame, links: DataFrame) -> int:
    """Events of records that nobody has resolved yet. In: events; current links of their records."""
    named = events.where("source_record_id IS NOT NULL")
    return named.join(links.select(*RECORD), on=list(RECORD), how="left_anti").count()


def first_instant(as_of: date) -> datetime:
    """From when on events count for rules that a stream may evaluate."""
    return datetime.combine(as_of, time(), UTC) - timedelta(hours=STREAM_HOURS)


def list_recent(
    events: DataFrame,
    answers: DataFrame,
    products: DataFrame,
    links: DataFrame,
    *,
    default_margin_rate: float,
) -> DataFrame:
    """What persons did lately, as rules read it: rows of `list_happenings`.

    In: recent events, and answers, of all records of the persons; sources.product; their links. An order is made of its
    recent lines: what changes one that was placed before then shows as a change without a purchase.
    """
    named = attach_person(events, links)
    orders = build_orders(named, products, default_margin_rate=default_margin_rate)
    said = attach_person(answers, links)
    return list_happenings(orders, build_interactions(named, said))


def since(rows: DataFrame, instant: datetime, at: str) -> DataFrame:
    """Rows from an instant on; files of a table that hold older ones alone are not read."""
    return rows.where(F.col(at) >= F.lit(instant).cast("timestamp"))
