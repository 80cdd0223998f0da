"""Everything that happened to persons, orders and contacts alike, as conditions on events read it."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.rules import Filters
from clvspark.lakehouse.elements import known_elements

TYPES = {
    "purchase": "order",
    "refund": "refund",
    "adjustment": "order_updated",
    "cancellation": "order_cancelled",
}
_MONEY = ("net_revenue", "margin", "gross_revenue", "discount")
# Columns that orders do not have, and those that interactions do not have.
_OF_INTERACTIONS = {"campaign_id": "string", "product_id": "string", "score": "int"}
_OF_ORDERS = {
    "order_id": "string",
    "store_id": "string",
    "status": "string",
    "units": "bigint",
    **dict.fromkeys(_MONEY, "decimal(18,2)"),
}
_LINES = "map<string,struct<net_revenue:decimal(28,2),units:bigint>>"


def list_happenings(orders: DataFrame, interactions: DataFrame) -> DataFrame:
    """Orders, what changed them, and interactions of known persons, one row each.

    In: history.order; history.interaction. Out: ``person_id, type, at, channel`` and what either of them tells, NULL
    of the other. A purchase is an `order`, also one that was cancelled later, which ``status`` tells; a refund has a
    negative net revenue, so that the sum over orders and all that changed them is what the person has brought.
    """
    kinds = F.create_map(*(F.lit(part) for pair in TYPES.items() for part in pair))
    sales = orders.where("person_id IS NOT NULL").select(
        "person_id",
        kinds[F.col("row_type")].alias("type"),
        F.col("ordered_at").alias("at"),
        "channel",
        *_OF_ORDERS,
        *_nothing(_OF_INTERACTIONS),
    )
    contacts = interactions.select(
        "person_id",
        F.col("interaction_type").alias("type"),
        F.col("occurred_at").alias("at"),
        "channel",
        *_nothing(_OF_ORDERS),
        *_OF_INTERACTIONS,
    )
    return sales.unionByName(contacts)


def attach_lines(
    happenings: DataFrame, events: DataFrame, products: DataFrame, filters: Mapping[str, Filters]
) -> DataFrame:
    """Happenings with ``passes``, the filters by product or category that each passes, and ``lines``, what of it does.

    In: rows of `list_happenings`; sources.event; sources.product; filters by their name. An order passes a filter if
    one of its lines does, as they were ordered; its amounts are then those of these lines. Lines of other events, and
    those that no filter asks for, are left out before anything is moved.
    """
    categories = F.broadcast(products.select("product_id", "category"))
    lines = events.where(F.col("event_type").isin("order", "refund")).select(
        "order_id", F.col("event_type").alias("type"), _day("occurred_at"), "product_id", "net_revenue", "quantity"
    )  # fmt: skip
    named = lines.join(categories, on="product_id", how="left")
    one = named.withColumn("filter", F.explode(_passed(filters)))
    amounts = [
        F.sum("net_revenue").cast("decimal(28,2)").alias("net_revenue"),
        F.sum("quantity").alias("units"),
    ]
    sums = one.groupBy("order_id", "type", "_day", "filter").agg(*amounts)
    pairs = F.collect_list(F.struct("filter", F.struct("net_revenue", "units")))
    wide = sums.groupBy("order_id", "type", "_day").agg(
        F.map_from_entries(pairs).cast(_LINES).alias("lines")
    )
    nothing = F.array().cast("array<string>")
    sales = happenings.where("order_id IS NOT NULL").withColumn("_day", _day("at"))
    bought = sales.join(wide, on=["order_id", "type", "_day"], how="left").withColumn(
        "passes", F.coalesce(F.map_keys("lines"), nothing)
    )
    # What was looked at needs no lines: without an order, all of it would be joined by one task.
    contacts = happenings.where("order_id IS NULL").join(categories, on="product_id", how="left")
    seen = contacts.withColumns({"passes": _passed(filters), "lines": F.lit(None).cast(_LINES)})
    columns = [*happenings.columns, "passes", "lines"]
    return bought.select(*columns).unionByName(seen.select(*columns))


def _passed(filters: Mapping[str, Filters]) -> Column:
    """Names of the filters that ``product_id`` and ``category`` pass."""
    found = []
    for name, asked in filters.items():
        column, values = (
            ("product_id", asked.product) if asked.product else ("category", asked.category or [])
        )
        found.append(F.when(F.col(column).isin(*values), F.lit(name)))
    return known_elements(F.array(*found), "string")


def _day(at: str) -> Column:
    """Day of a refund, whose lines are added up by it; all lines of an order are one."""
    is_refund = F.col("event_type" if at == "occurred_at" else "type") == "refund"
    return (
        F.when(is_refund, F.to_date(at)).otherwise(F.lit("1970-01-01").cast("date")).alias("_day")
    )


def _nothing(columns: Mapping[str, str]) -> list[Column]:
    return [F.lit(None).cast(kind).alias(name) for name, kind in columns.items()]
