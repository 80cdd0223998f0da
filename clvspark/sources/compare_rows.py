"""What shows only between rows: which of a key is the newest, and orders that several customers share."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.lakehouse.table import Table
from clvspark.lakehouse.texts import hash_columns
from clvspark.sources.quarantine import refuse_rows
from clvspark.sources.tables import EVENT, MEANT_BY, NEWEST, PRICED

SHARED_ORDER = "order_of_several_records"
DUPLICATE = "duplicate_key"
SUPERSEDED = "superseded"
COPY = "copy"
# Reasons of rows in whose place a good one stands.
IN_PLACE = (DUPLICATE, SUPERSEDED, COPY)
_ORDER = ["order_id", "event_type"]


def quarantine_repeats(mapped: DataFrame, table: Table) -> DataFrame:
    """Give every good row but the newest of each key a reason: ``copy``, ``superseded`` or ``duplicate_key``.

    The newest is that of the greatest `NEWEST` of its table, then that of the file that comes last, as dumps are
    numbered or dated. What equals it is a copy, what differs and is older is superseded. Rows that differ, of one
    file that says of none that it is newer, repeat a key, and so do events of another type; the one that stays does
    not depend on the order in which they arrive.
    """
    content, good = _content(table), F.size("_reasons") == 0
    age = F.struct(*_said(table), in_natural_order(F.col("_file")))
    # Bad rows may all lack their key; spread, they are not one task's work.
    spread = F.when(~good, content)
    window = Window.partitionBy(*table.key, good, spread).orderBy(age.desc(), content)
    repeated = good & (F.row_number().over(window) > 1)
    is_older = F.first(age).over(window) != age
    if table is EVENT:  # what happened does not become something else
        is_older &= F.first("event_type").over(window) == F.col("event_type")
    differs = F.first(content).over(window) != content
    reason = F.when(~differs, COPY).when(is_older, SUPERSEDED).otherwise(DUPLICATE)
    return refuse_rows(mapped, table, repeated, reason)


def is_lost() -> Column:
    """Whether a row is in quarantine and no other one stands in its place, by its ``_reasons``."""
    reason = F.get("_reasons", F.lit(0))
    return reason.isNotNull() & ~reason.isin(*IN_PLACE)


def is_copy() -> Column:
    """Whether a row says what another one says, by its ``_reasons``."""
    return F.coalesce(F.get("_reasons", F.lit(0)) == COPY, F.lit(False))


def is_not_meant(table: Table) -> Column:
    """Whether a derived row lacks that without which it is none, by its ``_reasons``.

    A sale to nobody makes no customer record, and where nothing was said nothing was stated.
    """
    if names := MEANT_BY.get(table.name.split(".")[1]):
        return F.arrays_overlap("_reasons", F.array(*(F.lit(f"missing:{name}") for name in names)))
    return F.exists("_reasons", lambda reason: F.startswith(reason, F.lit("missing:")))


def find_shared_orders(events: DataFrame) -> DataFrame:
    """``order_id, event_type, has_records, has_stores`` of orders, of their updates and refunds, that may be several.

    Their good lines name more than one customer record, or more than one store. Two shops that count their receipts
    from 1 under the name of one system look like this.
    """
    sales = events.where((F.size("_reasons") == 0) & F.col("event_type").isin(*PRICED))
    named = F.col("source_record_id").isNotNull()
    record = F.when(named, F.struct("source_system", "source_record_id"))
    ends = sales.groupBy(*_ORDER).agg(
        _differ(record).alias("has_records"), _differ(F.col("store_id")).alias("has_stores")
    )
    return ends.where("has_records OR has_stores")


def _differ(value: Column) -> Column:
    return F.coalesce(F.min(value) != F.max(value), F.lit(False))


def warn_of_shared_orders(shared: DataFrame) -> list[str]:
    """A sentence if orders have lines of several stores. In: rows of `find_shared_orders`."""
    orders = shared.where("has_stores AND NOT has_records").count()
    warning = (
        f"{EVENT.name}: {orders:,} orders have lines of several stores, and each counts as one purchase. Next step: "
        "none, if several stores may serve one order; else numbers start again in every store: map 'order_id' with "
        "'join', of the store and the number."
    )
    return [warning] if orders else []


def quarantine_shared_orders(events: DataFrame, shared: DataFrame) -> DataFrame:
    """Give every good line of orders `shared` by several records the reason ``order_of_several_records``."""
    several = shared.where("has_records").select(*_ORDER, F.lit(True).alias("_shared"))
    marked = events.join(several, on=_ORDER, how="left")
    refused = F.col("_shared").isNotNull() & (F.size("_reasons") == 0)
    return refuse_rows(marked, EVENT, refused, F.lit(SHARED_ORDER)).select(*events.columns)


def keep_newest_of_key(mapped: DataFrame, table: Table) -> DataFrame:
    """One good row a key, for outputs whose rows repeat keys by nature: the newest, of several the fullest.

    It is the newest by what the row says of itself (`NEWEST`); of equally full ones that of the file that comes last.
    """
    filled = reduce(Column.__add__, [F.col(name).isNotNull().cast("int") for name in table.names])
    file = in_natural_order(F.col("_file"))
    rank = F.struct(*_said(table), filled, file, _content(table))
    best = F.max_by(F.struct(*mapped.columns), rank).alias("_best")
    good = mapped.where(F.size("_reasons") == 0)
    return (
        good.groupBy(*(F.col(name).alias(f"_{name}") for name in table.key))
        .agg(best)
        .select("_best.*")
    )


def list_unreadable(derived: DataFrame, table: Table) -> DataFrame:
    """Derived rows of which something could not be read, shown as what they had become."""
    bad = derived.where((F.size("_reasons") > 0) & ~is_not_meant(table))
    return bad.withColumn("_raw", F.to_json(F.struct(*table.names)))


def in_natural_order(text: Column) -> Column:
    """The text with its numbers filled up to 20 digits, so that ``dump_10`` comes behind ``dump_9``."""
    longer = F.regexp_replace(text, r"\d+", f"{'0' * 19}$0")
    return F.regexp_replace(longer, r"0*(\d{20,})", "$1")


def _said(table: Table) -> list[Column]:
    return [F.expr(sql) for sql in NEWEST.get(table.name, ())]


def _content(table: Table) -> Column:
    """Digest of what a row says; maps have none of their own."""
    texts = {
        column.name: F.to_json(column.name)
        for column in table.columns
        if column.type.startswith("map")
    }
    return hash_columns([texts.get(name, F.col(name)) for name in table.names])
