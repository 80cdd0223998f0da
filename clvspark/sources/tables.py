"""Contracts of the tables `sources.*`."""

from datetime import date
from typing import Literal, get_args

from pyspark.sql import Column as SparkColumn
from pyspark.sql import functions as F

from clvspark.lakehouse.table import Column, Table
from clvspark.privacy.consent import ANY, CHANNELS, LENIENCY
from clvspark.privacy.tombstones import SALES

# Ids of records are written system:id.
_NO_COLON = "instr(source_system, ':') = 0"
_SYSTEM = Column("source_system", "string", "system the row came from", key=True, check=_NO_COLON)
_RECORD = Column("source_record_id", "string", "id of the customer record in its system", key=True)
EventType = Literal[
    "order",
    "refund",
    # In a shop on the web or in an app. A visit is one as a whole, where its system tells no more of it.
    "visit",
    "view",
    "cart",
    "checkout",
    "app_open",
    "app_view",
    "email_sent",
    "email_delivered",
    "email_opened",
    "email_clicked",
    "email_bounced",
    "email_unsubscribed",
    "push_sent",
    "push_delivered",
    "push_opened",
    "push_unsubscribed",
    "sms_unsubscribed",
    "coupon_redeemed",
    "store_visit",
    "call",
    "chat",
    "service_contact",
    # An order's later life, beside refunds.
    "order_updated",
    "order_cancelled",
]
# Sales that say what something costs; a cancellation annuls whatever its order has come to.
PRICED = tuple(kind for kind in SALES if kind != "order_cancelled")
_IS_PRICED = f"event_type IN ({', '.join(map(repr, PRICED))})"
# Of one line. What is beyond is a slip of the sender, and sums of it would not fit into their columns.
MOST_PIECES, MOST_REVENUE, MOST_COST = 100_000, 100_000_000_000, 1_000_000_000
_MONEY = "lakehouse currency"
_CODE = "RLIKE '^[A-Z]{3}$'"
SINCE_EVER = date(1970, 1, 1)
_INSTANT = "BETWEEN TIMESTAMP'1970-01-01' AND TIMESTAMP'2100-01-01'"

CUSTOMER_RECORD = Table(
    "sources.customer_record",
    "One record of one person in one source system.",
    (
        _SYSTEM,
        _RECORD,
        Column("full_name", "string", "name as one text, where the system keeps it so", pii="name"),
        Column("given_name", "string", pii="name"),
        Column("surname", "string", pii="name"),
        Column("birth_date", "date", pii="birth_date"),
        Column("email", "string", pii="email"),
        Column("phone", "string", pii="phone"),
        Column("mobile", "string", pii="phone"),
        Column("street", "string", pii="address"),
        Column("city", "string", pii="address"),
        Column("postcode", "string", pii="address"),
        Column(
            "loyalty_card", "string", "card number as another system noted it", pii="identifier"
        ),
        Column("device_id", "string", pii="identifier"),
        Column("created_at", "timestamp", "when the system created the record"),
        Column("attributes", "map<string,string>", "other attributes, e.g. demographics"),
    ),
    change_feed=True,
    deletion_vectors=True,
)
_KNOWN_AS_OF = Column(
    "known_as_of",
    "date",
    "first as_of date that knows it, where one that should have was computed before it landed; NULL: the day after it",
    kept=True,
)
EVENT = Table(
    "sources.event",
    "One thing that happened; an order has one row for each of its lines.",
    (
        Column("event_id", "string", "the system that sent it, a colon, its id there", key=True),
        Column("event_type", "string", required=True, allowed=get_args(EventType)),
        Column("source_system", "string", required=True, check=_NO_COLON),
        Column(
            "source_record_id", "string", "NULL: anonymous", references="sources.customer_record"
        ),
        Column("occurred_at", "timestamp", required=True, check=f"occurred_at {_INSTANT}"),
        Column("channel", "string", required=True),
        Column(
            "order_id",
            "string",
            "order that the line belongs to: the system that sent it, a colon, its number there",
            identifier=True,
        ),
        Column("product_id", "string", references="sources.product"),
        Column("quantity", "int", check=f"quantity BETWEEN 0 AND {MOST_PIECES}"),
        Column(
            "net_revenue",
            "decimal(18,2)",
            "gross_revenue - discount, without tax; of prices that include it the tax is taken out",
            unit=_MONEY,
            check=f"abs(net_revenue) <= {MOST_REVENUE}",
        ),
        Column("campaign_id", "string", references="sources.campaign"),
        Column("store_id", "string", identifier=True),
        Column(
            "session_id",
            "string",
            "visit that it belongs to, unique in the system that sent it",
            identifier=True,
        ),
        Column(
            "line_id",
            "string",
            "line of its order; what an update replaces, and what it adds where the order has none such",
            identifier=True,
        ),
        Column(
            "gross_revenue",
            "decimal(18,2)",
            "before discounts, without tax",
            unit=_MONEY,
            check=f"abs(gross_revenue) <= {MOST_REVENUE}",
        ),
        Column(
            "discount",
            "decimal(18,2)",
            "what was taken off; of a refund negative or 0, as its revenue is",
            unit=_MONEY,
            check=f"abs(discount) <= {MOST_REVENUE}",
        ),
        Column(
            "tax",
            "decimal(18,2)",
            "on top of net_revenue; 0 where nobody said",
            unit=_MONEY,
            check=f"abs(tax) <= {MOST_REVENUE}",
        ),
        Column(
            "cost",
            "decimal(18,2)",
            "cost of goods of the line, where its system knows it",
            unit=_MONEY,
            check=f"abs(cost) <= {MOST_REVENUE}",
        ),
        Column(
            "margin",
            "decimal(18,2)",
            "net_revenue - cost, where the cost is known",
            unit=_MONEY,
            check=f"abs(margin) <= 2 * {MOST_REVENUE}",
        ),
        Column(
            "currency",
            "string",
            "ISO 4217 code of what its system wrote; NULL: that of the lakehouse",
            check=f"currency {_CODE}",
        ),
        Column(
            "exchange_rate",
            "decimal(18,10)",
            "by which the amounts were converted; NULL: they were not",
            unit="lakehouse currency / currency",
            check="exchange_rate > 0",
        ),
        Column(
            "original_net_revenue",
            "decimal(18,2)",
            "net_revenue before it was converted",
            unit="currency",
        ),
        _KNOWN_AS_OF,
    ),
    checks={
        "order_is_complete": f"NOT {_IS_PRICED} OR (order_id IS NOT NULL AND net_revenue IS NOT NULL)",
        "order_is_named": "event_type <> 'order_cancelled' OR order_id IS NOT NULL",
        "line_is_named": "event_type <> 'order_updated' OR line_id IS NOT NULL",
        # What a cancellation says of amounts is kept and counts for nothing.
        "revenue_of_sales": f"{_IS_PRICED} OR event_type = 'order_cancelled' OR coalesce(net_revenue, 0) = 0",
        "revenue_sign": "net_revenue IS NULL OR event_type = 'order_cancelled' "
        "OR if(event_type = 'refund', net_revenue <= 0, net_revenue >= 0)",
        "discount_sign": "discount IS NULL OR event_type = 'order_cancelled' "
        "OR if(event_type = 'refund', discount <= 0, discount >= 0)",
    },
    cluster_by=("source_system", "source_record_id"),
    change_feed=True,
    deletion_vectors=True,
)
SURVEY_RESPONSE = Table(
    "sources.survey_response",
    "One answer to a satisfaction survey.",
    (
        Column("response_id", "string", key=True),
        Column(
            "source_system",
            "string",
            "system of the record that answered",
            required=True,
            check=_NO_COLON,
        ),
        Column("source_record_id", "string", required=True, references="sources.customer_record"),
        Column("answered_at", "timestamp", required=True, check=f"answered_at {_INSTANT}"),
        Column("channel", "string"),
        Column(
            "score", "int", "likelihood to recommend", required=True, check="score BETWEEN 0 AND 10"
        ),
        Column("comment", "string", pii="free_text"),
        _KNOWN_AS_OF,
    ),
    change_feed=True,
)
CONSENT = Table(
    "sources.consent",
    "One statement of consent of one record, for a channel and a purpose.",
    (
        Column(
            "consent_id",
            "string",
            "of the system; one form may speak of several channels and records",
            key=True,
        ),
        Column("source_system", "string", key=True, check=_NO_COLON),
        Column("source_record_id", "string", key=True, references="sources.customer_record"),
        Column("channel", "string", key=True, allowed=(ANY, *CHANNELS)),
        Column("purpose", "string", key=True),
        Column(
            "val",
            "string",
            "y yes, n no, p pending, u unknown",
            required=True,
            allowed=("y", "n", "p", "u"),
        ),
        Column("reason", "string"),
        Column("recorded_at", "timestamp", required=True, check=f"recorded_at {_INSTANT}"),
    ),
)
UNREAD_CONSENT = Table(
    "sources.unread_consent",
    "What a record said about being addressed and nobody could read: it counts as a refusal of marketing.",
    (
        _SYSTEM,
        _RECORD,
        Column("channel", "string", "any, where it cannot be read", key=True),
        Column(
            "recorded_at", "timestamp", "NULL: cannot be read; then no later statement replaces it"
        ),
        Column("rows", "int", "rows in quarantine that say so", check="rows >= 1"),
    ),
)
UNREAD_ADDRESS = Table(
    "sources.unread_address",
    "An address of a customer record in quarantine: what the record has refused, nobody is sent there.",
    (
        _SYSTEM,
        _RECORD,
        Column("identifier", "string", key=True, allowed=("email", "phone")),
        Column("address_sha256", "string", "digest of the normalised address", key=True),
    ),
)
PRODUCT = Table(
    "sources.product",
    "One product with its cost.",
    (
        Column(
            "product_id",
            "string",
            "of all systems alike; where each numbers its own, map it with 'join', here and in events",
            key=True,
        ),
        Column("name", "string"),
        Column("category", "string"),
        Column("list_price", "decimal(18,2)", unit="lakehouse currency", check="list_price >= 0"),
        Column(
            "unit_cost",
            "decimal(18,2)",
            "the newest one",
            unit="lakehouse currency",
            check=f"unit_cost BETWEEN 0 AND {MOST_COST}",
        ),
        Column(
            "cost_valid_from",
            "date",
            "first day of orders that unit_cost is for, where its system says so; each row of a product may have "
            "its own",
        ),
        Column(
            "costs",
            "array<struct<valid_from:date,unit_cost:decimal(18,2)>>",
            "since when what was the cost, the oldest first, which is for orders before it too; NULL: unit_cost is for "
            "all",
            unit="lakehouse currency",
        ),
    ),
    change_feed=True,
)
CAMPAIGN = Table(
    "sources.campaign",
    "One campaign and its window.",
    (
        Column("campaign_id", "string", key=True),
        Column("name", "string"),
        Column("channel", "string"),
        Column("starts_on", "date", required=True),
        Column("ends_on", "date", "last day, inclusive", required=True),
        Column(
            "cost_per_contact",
            "decimal(18,2)",
            unit="lakehouse currency",
            check="cost_per_contact >= 0",
        ),
        Column("offer", "string"),
    ),
    checks={"window": "ends_on >= starts_on"},
)
CAMPAIGN_MEMBER = Table(
    "sources.campaign_member",
    "A record that a campaign was addressed to, where the sending system says so without an event.",
    (Column("campaign_id", "string", key=True, references="sources.campaign"), _SYSTEM, _RECORD),
)
EXCHANGE_RATE = Table(
    "sources.exchange_rate",
    "What one unit of a currency was worth from a day on, until the next day that has a rate.",
    (
        Column("currency", "string", "ISO 4217 code", key=True, check=f"currency {_CODE}"),
        Column("valid_on", "date", "UTC day", key=True),
        Column(
            "rate",
            "decimal(18,10)",
            required=True,
            unit="lakehouse currency / currency",
            check="rate > 0",
        ),
    ),
)
QUARANTINE = Table(
    "sources.quarantine",
    "One landing row that could not become what it should, with the reasons.",
    (
        Column("quarantine_id", "string", key=True),
        Column("source_system", "string", required=True),
        Column("target_table", "string", required=True),
        Column("file_name", "string", "its path below the landing folder", required=True),
        Column("reason", "string", "the first reason", required=True),
        Column("reasons", "array<string>", "all reasons", required=True),
        Column(
            "net_revenue",
            "decimal(18,2)",
            "amount of the row where readable and convertible",
            unit="lakehouse currency",
        ),
        Column("record_system", "string", "system of the record that the row names"),
        Column("source_record_id", "string", "record that the row names, where readable"),
        Column(
            "raw",
            "string",
            "the row as it was read; NULL once its person is erased",
            pii="free_text",
        ),
    ),
)
FILE = Table(
    "sources.file",
    "A landing file that the last ingest has read.",
    (
        Column("mapping", "string", "system and path of the mapping that it matches", key=True),
        Column("file_name", "string", "its path below the landing folder", key=True),
    ),
)

TARGETS = {
    table.name.split(".")[1]: table
    for table in (
        CUSTOMER_RECORD,
        EVENT,
        SURVEY_RESPONSE,
        CONSENT,
        PRODUCT,
        CAMPAIGN,
        CAMPAIGN_MEMBER,
        EXCHANGE_RATE,
    )
}
TABLES = (*TARGETS.values(), UNREAD_CONSENT, UNREAD_ADDRESS, QUARANTINE, FILE)
# What makes a row newer than another with its key, before its file does: SQL, from the first on, the greatest wins.
# Of two statements of consent at one instant the stricter holds.
NEWEST = {
    CUSTOMER_RECORD.name: ("created_at",),
    SURVEY_RESPONSE.name: ("answered_at",),
    PRODUCT.name: ("cost_valid_from",),
    CONSENT.name: ("recorded_at", f"-{LENIENCY}"),
}
# Whether a row says of whom it speaks, also one that is in quarantine.
NAMES_RECORD = f"source_record_id IS NOT NULL AND source_system IS NOT NULL AND {_NO_COLON}"
# Columns by target without which a derived row was not meant to become one; of others any that is required.
CONDITION = "if_filled"
MEANT_BY = {"consent": ("source_record_id", "val", CONDITION)}
# Columns by target that no mapping fills, as ingest makes them, and what to do instead.
_CONVERTED, _DATED = "map 'currency' and 'net_revenue' instead", "remove it"
MADE = {
    "event": {
        "exchange_rate": _CONVERTED,
        "original_net_revenue": _CONVERTED,
        "known_as_of": _DATED,
    },
    "survey_response": {"known_as_of": _DATED},
    "product": {"costs": "map 'unit_cost' and 'cost_valid_from' instead"},
}
# Columns by target whose values are unique within one system only; ingest puts the system before them.
QUALIFIED = {
    "event": ("event_id", "order_id"),
    "survey_response": ("response_id",),
    "consent": ("consent_id",),
}


def is_known(as_of: date) -> SparkColumn:
    """Whether a row of sources.event or sources.survey_response had landed as of a date."""
    return F.coalesce(F.col("known_as_of") <= F.lit(as_of), F.lit(True))


def costs_of() -> SparkColumn:
    """Of a row of sources.product, what it has cost since when, the oldest first; none where no cost is known."""
    one = F.array(F.struct(F.lit(SINCE_EVER).alias("valid_from"), F.col("unit_cost")))
    nothing = F.array().cast(PRODUCT.column("costs").type)
    return F.coalesce("costs", F.when(F.col("unit_cost").isNotNull(), one), nothing)


def cost_on(day: SparkColumn, costs: SparkColumn) -> SparkColumn:
    """What of `costs_of` is for orders of a day."""
    begun = F.filter(costs, lambda cost: cost["valid_from"] <= day)
    return F.coalesce(F.get(begun, F.size(begun) - 1), F.get(costs, F.lit(0)))["unit_cost"]
