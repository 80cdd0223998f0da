"""Lines of orders in another currency at the rate at which their order was booked, whenever they happened."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.lakehouse.table import MONEY

_OTHERS = ("discount", "tax", "cost")


def book_amounts(lines: DataFrame) -> DataFrame:
    """Lines of orders with their amounts at the rate of their order; what was in one currency all along stays.

    In: sources.event, all lines of each order, each converted at the rate of its own day. An order has one rate, that
    of its first line that was converted, for all lines of the same currency: revenue is booked once, and what a rate
    moves afterwards is no revenue (IAS 21.28: an exchange difference). Lines of the order itself stay as they are.
    Refunds together take back the share of the booked revenue that they are of the original one, each what it adds to
    that, so that in whatever parts an order is refunded in full, nothing is left of it to the cent; after updates of an
    order of several lines, cents of rounding may be. Of amounts but net revenue the original is not kept: it is found
    again from what was converted, which of a currency that is worth less than the lakehouse's may be a cent beside it.
    """
    order = Window.partitionBy("order_id")
    so_far = order.orderBy("occurred_at", "event_id").rowsBetween(Window.unboundedPreceding, 0)
    is_order, is_refund = (F.col("event_type") == kind for kind in ("order", "refund"))
    first = F.struct("occurred_at", "event_id", "currency", "exchange_rate")
    is_converted = F.col("exchange_rate").isNotNull() & F.col("original_net_revenue").isNotNull()
    booked = F.min(F.when(is_order & is_converted, first)).over(order)
    found = lines.withColumn("_booked", booked)
    is_same = is_converted & (F.col("currency") == F.col("_booked.currency"))
    original = F.col("original_net_revenue")
    is_updated = F.max(F.col("event_type") == "order_updated").over(order)

    def total(amount: Column, of: Column) -> Column:
        return F.sum(F.when(of & is_same, amount)).over(order).try_cast(MONEY)

    returned = F.sum(F.when(is_refund & is_same, original)).over(so_far).try_cast(MONEY)
    sums = {
        "_revenue": total(F.col("net_revenue"), is_order),
        # Of an order that was updated the rate alone tells what a refund is of.
        "_ordered": F.when(~is_updated, total(original, is_order)),
        "_returned": returned,
    }
    net = F.when(
        is_refund, _share(F.col("_returned")) - _share(F.col("_returned") - original)
    ).try_cast(MONEY)
    rate, own = F.col("_booked.exchange_rate"), F.col("exchange_rate")
    amounts = {"net_revenue": F.coalesce(net, _at(rate, original))}
    for name in _OTHERS:
        amounts[name] = _at(rate, F.bround(F.try_divide(F.col(name), own), 2).try_cast(MONEY))
    amounts["gross_revenue"] = (
        amounts["net_revenue"] + F.coalesce(amounts["discount"], F.lit(0))
    ).try_cast(MONEY)
    is_moved = F.coalesce(is_same & ~is_order, F.lit(False))
    # What does not fit into its column stays as it landed.
    is_moved &= amounts["gross_revenue"].isNotNull()
    moved = {
        name: F.when(is_moved, F.coalesce(column, F.col(name))).otherwise(F.col(name))
        for name, column in amounts.items()
    }
    return found.withColumns(sums).withColumns(moved).select(*lines.columns)


def _share(returned: Column) -> Column:
    """What of the booked revenue of an order is taken back once `returned` of the original one is."""
    share = F.bround(F.try_divide(F.col("_revenue") * returned, F.col("_ordered")), 2)
    return F.coalesce(share.try_cast(MONEY), _at(F.col("_booked.exchange_rate"), returned))


def _at(rate: Column, amount: Column) -> Column:
    return F.bround(amount * rate, 2).try_cast(MONEY)
