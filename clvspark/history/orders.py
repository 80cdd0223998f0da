"""Order lines become orders with revenue, cost and margin."""

from __future__ import annotations

from decimal import Decimal

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from clvspark.history.tables import INTERACTION, ORDER

_MONEY = "decimal(18,2)"
_ORDER_TYPES = ("order", "refund")


def attach_person(events: DataFrame, links: DataFrame) -> DataFrame:
    """Events with the person of their record; person_id is NULL where there is no record.

    In: sources.event; identity.person_link, current links only (unique by record).
    """
    people = links.select("source_system", "source_record_id", "person_id")
    return events.join(people, on=["source_system", "source_record_id"], how="left")


def build_orders(
    events: DataFrame, products: DataFrame, *, default_margin_rate: float
) -> DataFrame:
    """Add up the lines of each order, and apart from them the refunds of each day.

    In: sources.event with person_id; sources.product. Out: history.order, one row an order, and one row an order and
    UTC day on which something of it was refunded. A refund that names nobody is of the person who ordered.
    The cost of a product is the one that is known today, for lines of any day; a line without one costs
    ``net_revenue * (1 - default_margin_rate)``.
    """
    is_purchase = F.col("event_type") == "order"
    lines = events.where(F.col("event_type").isin(*_ORDER_TYPES)).join(
        F.broadcast(products.select("product_id", "unit_cost")), on="product_id", how="left"
    )
    assumed = F.col("net_revenue") * F.lit(1 - Decimal(str(default_margin_rate)))
    known = F.col("unit_cost") * F.col("quantity") * F.when(is_purchase, 1).otherwise(-1)
    cost = F.coalesce(known.cast(_MONEY), assumed.cast(_MONEY))
    refunded_on = F.when(~is_purchase, F.to_date("occurred_at")).alias("_refunded_on")
    orders = lines.groupBy("order_id", is_purchase.alias("is_purchase"), refunded_on).agg(
        F.min("person_id").alias("_named"),
        F.min("occurred_at").alias("ordered_at"),
        F.min("channel").alias("channel"),
        F.min("store_id").alias("store_id"),
        F.count(F.lit(1)).cast("int").alias("lines"),
        F.sum("quantity").alias("units"),
        F.sum("net_revenue").cast(_MONEY).alias("net_revenue"),
        F.sum(cost).cast(_MONEY).alias("cost"),
    )
    buyer = F.min(F.when(F.col("is_purchase"), F.col("_named"))).over(
        Window.partitionBy("order_id")
    )
    columns = {
        "person_id": F.coalesce("_named", buyer),
        "margin": (F.col("net_revenue") - F.col("cost")).cast(_MONEY),
    }
    return orders.withColumns(columns).select(*ORDER.names)


def build_interactions(events: DataFrame) -> DataFrame:
    """Events of known persons that are not orders, as history.interaction."""
    known = events.where(~F.col("event_type").isin(*_ORDER_TYPES) & F.col("person_id").isNotNull())
    return known.withColumnRenamed("event_type", "interaction_type").select(*INTERACTION.names)
