"""Order lines become orders with revenue, cost and margin, and what became of each order later."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

from clvspark.history.booking import book_amounts
from clvspark.history.order_lines import AMOUNTS, ORIGINAL, ROW_TYPES, attach_costs, measure_changes
from clvspark.history.tables import ORDER
from clvspark.lakehouse.table import MONEY


def attach_person(events: DataFrame, links: DataFrame) -> DataFrame:
    """Events with the person of their record; person_id is NULL where there is no record.

    In: sources.event; identity.person_link, current links only (unique by record).
    """
    people = links.select("source_system", "source_record_id", "person_id")
    return events.join(people, on=["source_system", "source_record_id"], how="left")


def build_orders(
    events: DataFrame, products: DataFrame, *, default_margin_rate: float
) -> DataFrame:
    """history.order of events: `add_up_lines` of `book_lines`. In: sources.event with person_id; sources.product."""
    return add_up_lines(book_lines(events), products, default_margin_rate=default_margin_rate)


def book_lines(events: DataFrame) -> DataFrame:
    """Lines of orders at the rate at which their order was booked, and as they landed: ``landed_revenue``.

    In: sources.event, all lines of each order.
    """
    lines = events.where(F.col("event_type").isin(*ROW_TYPES))
    return book_amounts(lines.withColumn("landed_revenue", F.col("net_revenue")))


def add_up_lines(
    booked: DataFrame, products: DataFrame, *, default_margin_rate: float
) -> DataFrame:
    """Add up the lines of each order, and apart from them, by UTC day, what changed it afterwards.

    In: rows of `book_lines` with person_id; sources.product. Out: history.order, one row an order, and one row an
    order, day and kind of change: refund, adjustment (lines that were replaced) or cancellation, which takes back all
    that the order has come to. Nothing changes a row of a past day, so that the rows up to a day are the orders as they
    were known then. What is changed is of the person who ordered; a refund may name somebody else. All of an order is
    at the rate at which it was booked (`book_amounts`), and its status is that of its amounts as they were written.
    """
    costed = attach_costs(booked, products, default_margin_rate=default_margin_rate)
    changes = measure_changes(costed)
    is_purchase = F.col("row_type") == "purchase"
    changed_on = F.when(~is_purchase, F.to_date("ordered_at")).alias("_changed_on")
    currency = F.coalesce("currency", F.lit(""))
    orders = changes.groupBy("order_id", "row_type", changed_on).agg(
        F.min("person_id").alias("_named"),
        F.min("ordered_at").alias("ordered_at"),
        F.min("purchased_at").alias("purchased_at"),
        F.min("channel").alias("channel"),
        F.min("store_id").alias("store_id"),
        F.count(F.lit(1)).cast("int").alias("lines"),
        F.sum("change_quantity").alias("_pieces"),
        F.sum(f"change_{ORIGINAL}").alias("_original"),
        F.min(currency).alias("_least_currency"),
        F.max(currency).alias("_most_currency"),
        *(F.sum(f"change_{name}").cast(MONEY).alias(name) for name in AMOUNTS),
    )
    order = Window.partitionBy("order_id")
    buyer = F.min(F.when(is_purchase, F.col("_named"))).over(order)
    is_own = F.col("row_type").isin("purchase", "refund") | F.col("purchased_at").isNull()
    is_refund = F.col("row_type") == "refund"
    columns = {
        "person_id": F.when(is_own, F.coalesce("_named", buyer)).otherwise(buyer),
        "is_purchase": is_purchase,
        "status": _judge_status(order),
        "units": F.when(is_refund, -F.col("_pieces")).otherwise(F.col("_pieces")),
        "margin": (F.col("net_revenue") - F.col("cost")).cast(MONEY),
    }
    return orders.withColumns(columns).select(*ORDER.names)


def _judge_status(order: WindowSpec) -> Column:
    """What became of the order, by all of its rows."""

    def has(row_type: str) -> Column:
        return F.max(F.col("row_type") == row_type).over(order)

    # A cancellation says no amount, and needs no currency.
    says_amounts = F.col("row_type") != "cancellation"
    least = F.min(F.when(says_amounts, F.col("_least_currency"))).over(order)
    most = F.max(F.when(says_amounts, F.col("_most_currency"))).over(order)
    rest = F.when(least == most, F.sum("_original").over(order)).otherwise(
        F.sum("net_revenue").over(order)
    )
    return (
        F.when(has("cancellation"), "cancelled")
        .when(has("refund") & (rest <= 0), "refunded")
        .when(has("refund"), "partly_refunded")
        .when(has("adjustment"), "updated")
        .otherwise("completed")
    )
