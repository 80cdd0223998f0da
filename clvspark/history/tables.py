"""Contracts of the tables `history.*`."""

from collections.abc import Sequence

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.lakehouse.table import Column, Table

_MONEY = "lakehouse currency"
ROW_TYPES = ("purchase", "refund", "adjustment", "cancellation")
STATUSES = ("completed", "updated", "cancelled", "partly_refunded", "refunded")
ATTRIBUTION_METHODS = ("first", "last", "linear", "position", "time_decay", "markov", "shapley")

ORDER = Table(
    "history.order",
    "One order, or what changed one on a day, its lines added up; person_id is NULL for an anonymous sale.",
    (
        Column(
            "order_id", "string", "system and its number; of a change that of the order", key=True
        ),
        Column("person_id", "string", references="identity.person"),
        Column("ordered_at", "timestamp", "first line; of a change when it happened", key=True),
        Column("channel", "string", required=True),
        Column("store_id", "string"),
        Column("is_purchase", "boolean", "false: a change of an order", required=True),
        Column("lines", "int", check="lines >= 1"),
        Column(
            "units",
            "bigint",
            "pieces; of a refund those that came back, of another change the difference",
        ),
        Column(
            "net_revenue",
            "decimal(18,2)",
            "gross_revenue - discount, without tax; negative for a refund or a cancellation",
            required=True,
            unit=_MONEY,
        ),
        Column("cost", "decimal(18,2)", "cost of goods", required=True, unit=_MONEY),
        Column("margin", "decimal(18,2)", "net_revenue - cost", required=True, unit=_MONEY),
        Column(
            "row_type",
            "string",
            "adjustment: lines were replaced; cancellation: all that the order had come to is taken back",
            key=True,
            allowed=ROW_TYPES,
        ),
        Column(
            "status",
            "string",
            "of the order, by all that is known at the run; of an earlier day: by its rows until then",
            allowed=STATUSES,
        ),
        Column(
            "purchased_at",
            "timestamp",
            "ordered_at of the purchase that the row belongs to; NULL where it did not land",
        ),
        Column("gross_revenue", "decimal(18,2)", "before discounts, without tax", unit=_MONEY),
        Column("discount", "decimal(18,2)", unit=_MONEY),
        Column("tax", "decimal(18,2)", "on top of net_revenue", unit=_MONEY),
    ),
    checks={
        "purchases_are_purchases": "is_purchase = (row_type = 'purchase')",
        "gross_less_discount": "gross_revenue - discount = net_revenue",
    },
    cluster_by=("person_id",),
    change_feed=True,
    deletion_vectors=True,
)
INTERACTION = Table(
    "history.interaction",
    "Anything a known person did or received that is not an order.",
    (
        Column(
            "event_id",
            "string",
            "of sources.event; of an answer to a survey 'survey:' and its response_id",
            key=True,
        ),
        Column("person_id", "string", required=True, references="identity.person"),
        Column("occurred_at", "timestamp", required=True),
        Column("interaction_type", "string", required=True),
        Column("channel", "string", required=True),
        Column("campaign_id", "string", references="sources.campaign"),
        Column("session_id", "string", references="history.session"),
        Column("product_id", "string", "that was looked at", references="sources.product"),
        Column("source_system", "string", "system of the record"),
        Column("score", "int", "of an answer to a survey", check="score BETWEEN 0 AND 10"),
    ),
    cluster_by=("person_id",),
    change_feed=True,
    deletion_vectors=True,
)
SESSION = Table(
    "history.session",
    "One visit on one channel, of a person or of somebody unknown: events that a system calls one, or that follow "
    "each other without a long gap.",
    (
        Column(
            "session_id",
            "string",
            "the system that sent it, a colon, its id there; 'gap:' and the first event where systems name none",
            key=True,
        ),
        Column(
            "person_id",
            "string",
            "NULL: not known yet; a run after their record is resolved fills it",
            references="identity.person",
        ),
        Column("channel", "string", "of the first event", required=True),
        Column("started_at", "timestamp", "first event", required=True),
        Column("ended_at", "timestamp", "last event", required=True),
        Column("events", "int", "lines of an order counted one by one", check="events >= 1"),
        Column("has_cart", "boolean", "something was put into the cart", required=True),
        Column("has_checkout", "boolean", "the checkout was begun", required=True),
        Column("has_order", "boolean", "it led to an order", required=True),
        Column(
            "is_cart_abandoned",
            "boolean",
            "a cart or a checkout without an order in the session",
            required=True,
        ),
    ),
    checks={
        "ends_after_start": "ended_at >= started_at",
        "abandoned_without_order": "NOT (is_cart_abandoned AND has_order)",
    },
    cluster_by=("person_id",),
    deletion_vectors=True,
)
PERSON_DAY = Table(
    "history.person_day",
    "What one person did on one UTC day, over all channels.",
    (
        Column("person_id", "string", key=True, references="identity.person"),
        Column("day", "date", key=True),
        Column(
            "orders",
            "int",
            "purchases of the day, without those that were cancelled before it ended",
            check="orders >= 0",
        ),
        Column("refunds", "int", check="refunds >= 0"),
        Column("net_revenue", "decimal(18,2)", unit=_MONEY),
        Column("margin", "decimal(18,2)", unit=_MONEY),
        Column("interactions", "int", check="interactions >= 0"),
        Column(
            "cancellations",
            "int",
            "orders of earlier days that were cancelled on this one",
            check="cancellations >= 0",
        ),
    ),
    cluster_by=("person_id",),
    change_feed=True,
    deletion_vectors=True,
)
CLV_SUMMARY = Table(
    "history.clv_summary",
    "Purchase history of a person as of a date, and as it was some days before, as the CLV models read it.",
    (
        Column("person_id", "string", key=True, references="identity.person"),
        Column("as_of_date", "date", "of the run; rows of other dates stay", key=True),
        Column(
            "lag_days",
            "int",
            "first day not counted: as_of_date - lag_days; 0: all that was known",
            key=True,
            unit="day",
            check="lag_days >= 0",
        ),
        Column(
            "frequency",
            "int",
            "x: days with a purchase, not cancelled by then, after the first such day",
            check="frequency >= 0",
        ),
        Column("recency_days", "int", "t_x: last purchase day - first purchase day", unit="day"),
        Column("t_days", "int", "T: as_of_date - lag_days - 1 - first purchase day", unit="day"),
        Column(
            "monetary_value",
            "double",
            "mean net revenue of a repeat purchase day; 0 without one",
            unit=_MONEY,
        ),
        Column(
            "monetary_margin",
            "double",
            "mean margin of a repeat purchase day; 0 without one",
            unit=_MONEY,
        ),
        Column(
            "log_intervals",
            "double",
            "sum of the natural logarithms of the days between successive purchase days; 0 without a repeat",
            check="log_intervals >= 0",
        ),
        Column("first_purchase_on", "date", required=True),
        Column("last_purchase_on", "date", required=True),
        Column("orders", "int", "purchases that were not cancelled by then", check="orders >= 1"),
        Column("historical_revenue", "decimal(18,2)", unit=_MONEY),
        Column("historical_margin", "decimal(18,2)", unit=_MONEY),
    ),
    checks={
        "recency_within_t": "recency_days BETWEEN 0 AND t_days",
        "repeats_take_time": "frequency = 0 OR recency_days >= frequency",
    },
    cluster_by=("as_of_date", "person_id"),
)
SEGMENTS = (
    "champions",
    "loyal",
    "promising",
    "needs_attention",
    "cannot_lose",
    "at_risk",
    "hibernating",
)
EVERY_CHANNEL = "all"
ALL_CHANNELS, ONE_CHANNEL = "all_channels", "one_channel"
ATTRIBUTION = Table(
    "history.attribution",
    "Credit of one touchpoint for one order of a person by one method; refunds are taken off their order.",
    (
        Column("order_id", "string", key=True, references="history.order"),
        Column(
            "event_id",
            "string",
            "the touchpoint, of history.interaction; none: no touchpoint led to the order",
            key=True,
        ),
        Column("method", "string", key=True, allowed=ATTRIBUTION_METHODS),
        Column("person_id", "string", required=True, references="identity.person"),
        Column("ordered_at", "timestamp", required=True),
        Column("touched_at", "timestamp", "NULL: no touchpoint", check="touched_at <= ordered_at"),
        Column("channel", "string", "direct: no touchpoint led to the order", required=True),
        Column("campaign_id", "string", references="sources.campaign"),
        Column(
            "credit",
            "decimal(9,8)",
            "share of the order; sums to 1 by order and method",
            required=True,
            check="credit BETWEEN 0 AND 1",
        ),
        Column(
            "attributed_revenue",
            "decimal(18,2)",
            "sums to the net revenue of the order, by method",
            required=True,
            unit=_MONEY,
        ),
        Column(
            "attributed_margin",
            "decimal(18,2)",
            "sums to the margin of the order, by method",
            required=True,
            unit=_MONEY,
        ),
    ),
    checks={"touchpoint_has_an_instant": "(event_id = 'none') = (touched_at IS NULL)"},
    cluster_by=("person_id",),
)
STAGES = ("new", "growing", "core", "slipping", "lapsed")
"""Of a relationship, in the order in which it comes and goes."""
_SCORE = "BETWEEN 1 AND 5"
RELATIONSHIP = Table(
    "history.relationship",
    "How things stand with a person who has bought, on a date, by past facts alone; no model is asked.",
    (
        Column("person_id", "string", key=True, references="identity.person"),
        Column("as_of_date", "date", key=True),
        Column(
            "recency_days",
            "int",
            "of RFM, from the last purchase to the last day counted; t_x of the models is in history.clv_summary",
            unit="day",
            required=True,
            check="recency_days >= 0",
        ),
        Column("frequency", "int", "of RFM: purchase days, the first included", required=True),
        Column("monetary", "decimal(18,2)", "of RFM: net revenue so far", unit=_MONEY),
        Column("r_score", "int", "5: bought most recently", check=f"r_score {_SCORE}"),
        Column("f_score", "int", "5: most often", check=f"f_score {_SCORE}"),
        Column("m_score", "int", "5: most revenue", check=f"m_score {_SCORE}"),
        Column("segment", "string", "by r_score and f_score", required=True, allowed=SEGMENTS),
        Column(
            "usual_gap_days",
            "double",
            "usual time between purchase days",
            unit="day",
            required=True,
        ),
        Column(
            "spend_trend",
            "double",
            "revenue a day lately / before; NULL: too short a history",
        ),
        Column("stage", "string", required=True, allowed=STAGES),
        Column(
            "previous_stage",
            "string",
            "history.relationship.compare_days before; NULL: had not bought then",
            allowed=STAGES,
        ),
        Column("answers", "int", "to surveys so far", required=True, check="answers >= 0"),
        Column("last_score", "int", "0 to 10; NULL: none", check="last_score BETWEEN 0 AND 10"),
        Column("last_answered_on", "date"),
    ),
    checks={"answered": "(answers = 0) = (last_score IS NULL)"},
    cluster_by=("as_of_date", "person_id"),
)
KPI = Table(
    "history.kpi",
    "One key figure of one month, over all channels or of one; clvspark/history/kpis.py defines each.",
    (
        Column("as_of_date", "date", key=True),
        Column("period_starts_on", "date", "first day of the month", key=True),
        Column("kpi", "string", key=True),
        Column(
            "grain",
            "string",
            "whether it is over all channels or of one, whatever that one is called",
            key=True,
            allowed=(ALL_CHANNELS, ONE_CHANNEL),
        ),
        Column("channel", "string", "of grain all_channels: all", key=True),
        Column("value", "double", required=True),
    ),
)
TABLES = (
    ORDER,
    INTERACTION,
    SESSION,
    PERSON_DAY,
    CLV_SUMMARY,
    ATTRIBUTION,
    RELATIONSHIP,
    KPI,
)


def standing_purchases(known: DataFrame, *, by: Sequence[str] = ()) -> DataFrame:
    """Purchases among `known` that none of its rows cancels.

    In: rows of history.order up to an instant; where they are up to several, each with that instant in columns `by`.
    """
    cancelled = known.where("row_type = 'cancellation'").select("order_id", *by)
    return known.where("is_purchase").join(cancelled, on=["order_id", *by], how="left_anti")


def orders_that_stand() -> SparkColumn:
    """Of a row of history.person_day, the orders of its day less what was cancelled on it, whenever placed."""
    return F.col("orders") - F.coalesce("cancellations", F.lit(0))


def standing_orders() -> SparkColumn:
    """The sum of `orders_that_stand` over days."""
    return F.sum(orders_that_stand())


def days_as_known(days: DataFrame, orders: DataFrame | None) -> DataFrame:
    """Days of persons, and beside them the orders that were cancelled later, each with the day it is known from.

    In: history.person_day; history.order, None where no order is known to have been cancelled. Out: ``person_id, day,
    known_on, orders, refunds, net_revenue, margin``, of one person in one partition. A row of a day is known on that
    day. Of an order that was cancelled on a later one there is a row of the day it was placed, known on the day of the
    cancellation, that takes the order away and no amounts, as these count on the latter day already. So the sums by
    day of what is known before a date are the days as they stood on it.
    """
    amounts = ("refunds", "net_revenue", "margin")
    told = days.select("person_id", "day", F.col("day").alias("known_on"), "orders", *amounts)
    if orders is None:
        return told.repartition("person_id")
    placed, cancelled = F.to_date("purchased_at"), F.to_date("ordered_at")
    late = orders.where("row_type = 'cancellation' AND person_id IS NOT NULL")
    taken = late.where(placed < cancelled).select(
        "person_id", placed.alias("day"), cancelled.alias("known_on"), F.lit(-1).alias("orders")
    )
    return told.unionByName(taken, allowMissingColumns=True).repartition("person_id")
