"""Touchpoints and orders become paths: what a person was reached by, up to an order or to nothing."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.lakehouse.table import MONEY

UNATTRIBUTED, DIRECT = "none", "direct"
"""Event and channel of an order that no touchpoint led to."""

_ORDER = f"struct<order_id string, ordered_at timestamp, net_revenue {MONEY}, margin {MONEY}>"
_STEP = (
    "person_id",
    "path",
    "position",
    "path_length",
    "event_id",
    "touched_at",
    "channel",
    "campaign_id",
    "order_id",
    "ordered_at",
    "net_revenue",
    "margin",
)


def list_touchpoints(
    interactions: DataFrame, *, always: Sequence[str], with_campaign: Sequence[str]
) -> DataFrame:
    """Interactions that are touchpoints by their type, or by their type if they name a campaign.

    In: history.interaction. Out: ``person_id, event_id, occurred_at, channel, campaign_id``.
    """
    kind = F.col("interaction_type")
    of_campaign = kind.isin(*with_campaign) & F.col("campaign_id").isNotNull()
    found = interactions.where(kind.isin(*always) | of_campaign)
    return found.select("person_id", "event_id", "occurred_at", "channel", "campaign_id")


def net_refunds(orders: DataFrame) -> DataFrame:
    """Orders of persons, what was refunded of them taken off, so that a refund is shared as its order was.

    In: history.order. Out: one row an order: ``order_id, person_id, bought_at, ordered_at, net_revenue, margin``.
    ``bought_at`` is NULL where only a refund is known of the order. A cancelled order has come to nothing: nobody is
    credited for it, and no path leads to it.
    """
    bought = F.col("is_purchase")
    is_cancelled = F.coalesce(F.bool_or(F.col("row_type") == "cancellation"), F.lit(False))
    return (
        orders.where("person_id IS NOT NULL")
        .groupBy("order_id")
        .agg(
            F.coalesce(F.min(F.when(bought, F.col("person_id"))), F.min("person_id")).alias(
                "person_id"
            ),
            F.min(F.when(bought, F.col("ordered_at"))).alias("bought_at"),
            F.min("ordered_at").alias("ordered_at"),
            F.sum("net_revenue").cast(MONEY).alias("net_revenue"),
            F.sum("margin").cast(MONEY).alias("margin"),
            is_cancelled.alias("_is_cancelled"),
        )
        .where("NOT _is_cancelled")
        .drop("_is_cancelled")
    )


def build_paths(orders: DataFrame, touchpoints: DataFrame, *, window_days: int) -> DataFrame:
    """Every touchpoint with its place in its path, and the order that the path led to, if any.

    In: rows of `net_refunds` and `list_touchpoints`. Out: one row a touchpoint, and one for each order that none led
    to, with event `UNATTRIBUTED` and channel `DIRECT`. A touchpoint leads to the next order of its person within
    `window_days`, and to that one alone: an order ends the path, as a conversion ends a customer journey (Anderl et
    al. 2016), so that there are never more rows than touchpoints and orders. Touchpoints that no order follows
    in time make paths without one, cut where more than `window_days` lie between two of them.

    One sort of each person's touchpoints and orders, latest first; nothing is joined.
    """
    steps = _gather_steps(orders.where("bought_at IS NOT NULL"), touchpoints)
    # Latest first, as what follows a row is then what its frame has seen: a frame of the rows to come would be
    # read anew for every row.
    latest_first = Window.partitionBy("person_id").orderBy(
        F.desc("_at"), F.col("event_id").isNull().desc(), F.desc("_id")
    )
    so_far = latest_first.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    next_order = F.last("_order", ignorenulls=True).over(so_far)
    later, earlier = (
        move("touched_at").over(latest_first) for move in (F.lag, F.lead)
    )  # NULL of an order
    seen = steps.withColumns({"_next": next_order, "_later": later, "_earlier": earlier})
    converts = F.col("touched_at") >= _days_before(F.col("_next.ordered_at"), window_days)
    seen = seen.withColumn("_converts", F.coalesce(converts, F.lit(False)))
    alike = F.lag("_converts").over(latest_first) == F.col("_converts")
    close = F.col("touched_at") >= _days_before(F.col("_later"), window_days)
    goes_on = alike & (F.col("_converts") | close) & F.col("_later").isNotNull()
    begins = (~F.coalesce(goes_on, F.lit(False))).cast("int")
    numbered = seen.withColumn("path", F.sum(begins).over(so_far))
    led_to = F.col("_earlier") >= _days_before(F.col("_order.ordered_at"), window_days)
    touched = F.col("event_id").isNotNull()
    kept = numbered.where(touched | ~F.coalesce(led_to, F.lit(False)))
    order = F.when(touched, F.when(F.col("_converts"), F.col("_next"))).otherwise(F.col("_order"))
    whole = Window.partitionBy("person_id", "path")
    columns = {
        "position": F.row_number().over(whole.orderBy("touched_at", "event_id")),
        "path_length": F.count(F.lit(1)).over(whole),
    }
    paths = kept.withColumn("_order", order).withColumns(columns).select("*", "_order.*")
    return _name_unattributed(paths.unionByName(_refunds_alone(orders), allowMissingColumns=True))


def _gather_steps(orders: DataFrame, touchpoints: DataFrame) -> DataFrame:
    touched = touchpoints.withColumns(
        {
            "touched_at": F.col("occurred_at"),
            "_at": F.col("occurred_at"),
            "_id": F.col("event_id"),
            "_order": F.lit(None).cast(_ORDER),
        }
    ).drop("occurred_at")
    order = F.struct("order_id", F.col("bought_at").alias("ordered_at"), "net_revenue", "margin")
    bought = orders.select(
        "person_id",
        F.col("bought_at").alias("_at"),
        F.col("order_id").alias("_id"),
        order.cast(_ORDER).alias("_order"),
    )
    return touched.unionByName(bought, allowMissingColumns=True)


def _refunds_alone(orders: DataFrame) -> DataFrame:
    """Orders of which only refunds are known: no touchpoint led to these."""
    ones = {"path": F.lit(0).cast("bigint"), "position": F.lit(1), "path_length": F.lit(1)}
    alone = orders.where("bought_at IS NULL").drop("bought_at")
    return alone.withColumns(ones)


def _name_unattributed(paths: DataFrame) -> DataFrame:
    named = {
        "channel": F.when(F.col("event_id").isNull(), F.lit(DIRECT)).otherwise(F.col("channel")),
        "event_id": F.coalesce("event_id", F.lit(UNATTRIBUTED)),
    }
    return paths.withColumns(named).select(*_STEP)


def _days_before(at: Column, days: int) -> Column:
    return at - F.make_dt_interval(F.lit(days))
