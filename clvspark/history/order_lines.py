"""Lines of orders become what each of them changes, on the day on which it does."""

from __future__ import annotations

from decimal import Decimal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.lakehouse.table import MONEY
from clvspark.sources.tables import cost_on, costs_of

AMOUNTS = ("gross_revenue", "discount", "tax", "net_revenue", "cost")
# Net revenue as it was written, in whatever currency.
ORIGINAL = "original_net_revenue"
ROW_TYPES = {
    "order": "purchase",
    "refund": "refund",
    "order_updated": "adjustment",
    "order_cancelled": "cancellation",
}


def attach_costs(lines: DataFrame, products: DataFrame, *, default_margin_rate: float) -> DataFrame:
    """Lines with all of their `AMOUNTS`.

    In: sources.event, lines of orders only; sources.product. The cost is the one that its system says, else that of
    the product on the day its order was placed, of whatever becomes of it too; a line without either costs
    ``net_revenue * (1 - default_margin_rate)``. A refund of no pieces is of money alone and gives no cost
    back, unless nobody counted the pieces of its order either. Amounts that an older lakehouse does not have follow
    from net revenue.
    """
    order = Window.partitionBy("order_id")
    costs = F.broadcast(products.select("product_id", costs_of().alias("_costs")))
    placed = F.min(F.when(_is("order"), F.col("occurred_at"))).over(order)
    day = F.to_date(F.coalesce(placed, F.col("occurred_at")))
    known = (
        cost_on(day, F.col("_costs")) * F.col("quantity") * F.when(_is("refund"), -1).otherwise(1)
    )
    assumed = F.col("net_revenue") * F.lit(1 - Decimal(str(default_margin_rate)))
    zero = F.lit(0).cast(MONEY)
    counts = F.max(F.when(_is("order"), F.col("quantity").isNotNull()))
    is_counted = F.coalesce(counts.over(order), F.lit(True))
    no_goods = _is("refund") & (F.coalesce("quantity", F.lit(0)) == 0) & is_counted
    amounts = {
        "gross_revenue": F.coalesce("gross_revenue", "net_revenue"),
        "discount": F.coalesce("discount", zero),
        "tax": F.coalesce("tax", zero),
        ORIGINAL: F.coalesce(ORIGINAL, "net_revenue"),
        "cost": F.coalesce("cost", F.when(no_goods, zero), known.cast(MONEY), assumed.cast(MONEY)),
    }
    return lines.join(costs, on="product_id", how="left").withColumns(amounts).drop("_costs")


def measure_changes(lines: DataFrame) -> DataFrame:
    """What each line changes of the amounts and pieces of its order, as ``change_*``.

    In: rows of `attach_costs`. Out: the lines that change something, with ``row_type``, ``purchased_at`` (NULL where
    the order itself did not land) and ``ordered_at``, when it changed the order. A line of an order and a
    refund change the order by what they say; an update by the difference to what it replaces, the version before it
    of the same line, which is nothing where the line is new; the first cancellation by what the order has come to
    until then, the other way round. What follows a cancellation changes nothing any more and is left out.
    The sum of all changes up to an instant is what the order was worth then: days that are past stay as they were.
    """
    order = Window.partitionBy("order_id")
    placed = F.min(F.when(_is("order"), F.col("occurred_at"))).over(order)
    # A refund counts on its own day, be its order of a later one.
    at = F.when(_is("refund"), F.col("occurred_at")).otherwise(
        F.greatest("occurred_at", "purchased_at")
    )
    is_later = ~_is("order") & (F.col("ordered_at") > F.col("cancelled_at"))
    cancelled = F.min(F.when(_is("order_cancelled"), F.struct("ordered_at", "event_id")))
    first = F.struct("ordered_at", "event_id") == F.col("_cancelled")
    dated = (
        lines.withColumn("purchased_at", placed)
        .withColumn("ordered_at", F.when(_is("order"), F.col("purchased_at")).otherwise(at))
        .withColumn("_cancelled", cancelled.over(order))
        .withColumn("cancelled_at", F.col("_cancelled.ordered_at"))
    )
    counted = dated.where(~F.coalesce(is_later, F.lit(False)))
    counted = counted.where(~_is("order_cancelled") | first)
    names = (*AMOUNTS, ORIGINAL, "quantity")
    changed = _compare_versions(counted, names)
    annulled = {
        f"change_{name}": F.when(_is("order_cancelled"), -F.sum(f"change_{name}").over(order))
        .otherwise(F.col(f"change_{name}"))
        .cast("bigint" if name == "quantity" else MONEY)
        for name in names
    }
    kinds = F.create_map(*(F.lit(part) for pair in ROW_TYPES.items() for part in pair))
    return changed.withColumns(annulled).withColumn("row_type", kinds[F.col("event_type")])


def _compare_versions(lines: DataFrame, names: tuple[str, ...]) -> DataFrame:
    """The lines with what each of them says beyond the version before it; a cancellation says nothing yet."""
    is_update, line = _is("order_updated"), Window.partitionBy("order_id", "line_id")
    # An update comes after everything else of its line, whenever that happened.
    in_turn = line.orderBy(is_update, "occurred_at", "event_id")
    number = F.sum(is_update.cast("int")).over(in_turn)
    turned = lines.withColumn("_number", F.when(is_update, number))

    def change(name: str) -> Column:
        said = F.col(name)
        signed = said * F.when(_is("refund"), -1).otherwise(1) if name == "quantity" else said
        value = F.coalesce(said, F.lit(0))
        ordered = F.sum(F.when(_is("order"), value)).over(line)
        before = F.when(F.col("_number") == 1, F.coalesce(ordered, F.lit(0))).otherwise(
            F.lag(value).over(in_turn)
        )
        return (
            F.when(is_update, value - before)
            .when(_is("order_cancelled"), F.lit(0))
            .otherwise(signed)
            .cast("bigint" if name == "quantity" else MONEY)
        )

    return turned.withColumns({f"change_{name}": change(name) for name in names})


def _is(event_type: str) -> Column:
    return F.col("event_type") == event_type
