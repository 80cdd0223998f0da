"""Contracts of the tables `history.*`."""

from clvspark.lakehouse.table import Column, Table

_MONEY = "lakehouse currency"

ORDER = Table(
    "history.order",
    "One order, or what was refunded of one on a day, its lines added up; person_id is NULL for an anonymous sale.",
    (
        Column(
            "order_id", "string", "system and its number; of a refund that of the order", key=True
        ),
        Column("person_id", "string", references="identity.person"),
        Column("ordered_at", "timestamp", "first line; of a refund when it happened", key=True),
        Column("channel", "string", required=True),
        Column("store_id", "string"),
        Column("is_purchase", "boolean", "false: a refund", key=True),
        Column("lines", "int", check="lines >= 1"),
        Column("units", "bigint"),
        Column(
            "net_revenue",
            "decimal(18,2)",
            "after discounts; negative for a refund",
            required=True,
            unit=_MONEY,
        ),
        Column("cost", "decimal(18,2)", "cost of goods", required=True, unit=_MONEY),
        Column("margin", "decimal(18,2)", "net_revenue - cost", required=True, unit=_MONEY),
    ),
    cluster_by=("person_id",),
    change_feed=True,
    deletion_vectors=True,
)
INTERACTION = Table(
    "history.interaction",
    "Anything a known person did or received that is not an order.",
    (
        Column("event_id", "string", key=True, references="sources.event"),
        Column("person_id", "string", required=True, references="identity.person"),
        Column("occurred_at", "timestamp", required=True),
        Column("interaction_type", "string", required=True),
        Column("channel", "string", required=True),
        Column("campaign_id", "string", references="sources.campaign"),
    ),
    cluster_by=("person_id",),
    deletion_vectors=True,
)
PERSON_DAY = Table(
    "history.person_day",
    "What one person did on one UTC day, over all channels.",
    (
        Column("person_id", "string", key=True, references="identity.person"),
        Column("day", "date", key=True),
        Column("orders", "int", "purchases, refunds not counted", check="orders >= 0"),
        Column("refunds", "int", check="refunds >= 0"),
        Column("net_revenue", "decimal(18,2)", unit=_MONEY),
        Column("margin", "decimal(18,2)", unit=_MONEY),
        Column("interactions", "int", check="interactions >= 0"),
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
            "x: days with a purchase after the first such day",
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
        Column("first_purchase_on", "date", required=True),
        Column("last_purchase_on", "date", required=True),
        Column("orders", "int", check="orders >= 1"),
        Column("historical_revenue", "decimal(18,2)", unit=_MONEY),
        Column("historical_margin", "decimal(18,2)", unit=_MONEY),
    ),
    checks={
        "recency_within_t": "recency_days BETWEEN 0 AND t_days",
        "repeats_take_time": "frequency = 0 OR recency_days >= frequency",
    },
    cluster_by=("as_of_date", "person_id"),
)
TABLES = (ORDER, INTERACTION, PERSON_DAY, CLV_SUMMARY)
