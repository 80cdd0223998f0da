"""Contracts of the tables `reporting.*`: a star schema under the names that reporting tools know."""

from clvspark.lakehouse.table import Column, Table
from clvspark.reporting import finance_tables, quality_tables

_AS_OF = Column("as_of_date", "date", key=True)
_AUDIENCE = Column("audience_id", "string", key=True, references="reporting.dim_audience")
_MONEY = "lakehouse currency"
_DAYS_OBSERVED = Column(
    "days_observed", "int", "of the window after the date, by the last order known", unit="day"
)
_RESPONSES = (
    Column("contacted", "bigint", "persons that the campaign was sent to"),
    Column("opened", "bigint", "persons, of those contacted"),
    Column("clicked", "bigint", "persons, of those contacted"),
    Column("redeemed", "bigint", "persons, of those contacted"),
    Column(
        "responded_not_contacted",
        "bigint",
        "persons who opened, clicked or redeemed without having been contacted in the window",
    ),
)
_CONTACTED = {"who_responded_was_contacted": "greatest(opened, clicked, redeemed) <= contacted"}

DIM_DATE = Table(
    "reporting.dim_date",
    "Calendar of all days with an order.",
    (
        Column("date", "date", key=True),
        Column("year", "int"),
        Column("quarter", "int"),
        Column("month", "int"),
        Column("iso_year", "int", "year of the ISO week; at New Year not that of the day"),
        Column("iso_week", "int"),
        Column("day_of_week", "int", "1 Monday to 7 Sunday", check="day_of_week BETWEEN 1 AND 7"),
    ),
)
DIM_AUDIENCE = Table(
    "reporting.dim_audience",
    "Audiences by their newest version.",
    (
        Column("audience_id", "string", key=True),
        Column("name", "string", required=True),
        Column("description", "string"),
        Column("version", "int"),
        Column("owner", "string"),
    ),
)
DIM_CAMPAIGN = Table(
    "reporting.dim_campaign",
    "Campaigns.",
    (
        Column("campaign_id", "string", key=True),
        Column("name", "string"),
        Column("channel", "string"),
        Column("starts_on", "date"),
        Column("ends_on", "date"),
    ),
)
DIM_CHANNEL = Table(
    "reporting.dim_channel",
    "Channels that anything happened on.",
    (Column("channel", "string", key=True),),
)
DIM_DESTINATION = Table(
    "reporting.dim_destination",
    "Destinations that lists were delivered to.",
    (
        Column("destination_id", "string", key=True),
        Column("first_delivery_on", "date", "earliest as_of_date of a delivery", required=True),
    ),
)
DIM_PERSON_SEGMENT = Table(
    "reporting.dim_person_segment",
    "Stages of the relationship, in their order.",
    (
        Column("lifecycle_stage", "string", key=True),
        Column("position", "int", required=True),
        Column("description", "string", required=True),
    ),
)
FACT_PROFILE = Table(
    "reporting.fact_profile",
    "Persons on a date: how many, from how many records, in which stage.",
    (
        _AS_OF,
        Column(
            "lifecycle_stage",
            "string",
            "that of clv.customer_value; prospect: never bought; unvalued: bought, and no model has valued them",
            key=True,
            references="reporting.dim_person_segment",
        ),
        Column("count_of_profiles", "bigint", required=True),
        Column("count_of_single_identity_profiles", "bigint", required=True),
        Column("records", "bigint"),
        Column(
            "customer_equity",
            "double",
            "residual value of all persons; NULL where they are unvalued",
            unit=_MONEY,
        ),
        Column("historical_value", "double", "NULL where they are unvalued", unit=_MONEY),
    ),
)
FACT_PROFILE_BY_AUDIENCE = Table(
    "reporting.fact_profile_by_audience",
    "Members, reach and value of an audience on a date.",
    (
        _AS_OF,
        _AUDIENCE,
        Column("count_of_profiles", "bigint", required=True),
        Column("contactable_email", "bigint"),
        Column("clv", "double", unit=_MONEY),
        Column("entered", "bigint"),
        Column("exited", "bigint"),
    ),
)
FACT_AUDIENCE_OVERLAP = Table(
    "reporting.fact_audience_overlap",
    "Persons in both of two audiences on a date.",
    (
        _AS_OF,
        _AUDIENCE,
        Column("other_audience_id", "string", key=True, references="reporting.dim_audience"),
        Column("count_of_profiles", "bigint", required=True),
    ),
)
FACT_CLV_DECILE = Table(
    "reporting.fact_clv_decile",
    "Persons and value of each decile of each metric on a date.",
    (
        _AS_OF,
        Column("metric", "string", key=True),
        Column("decile", "int", key=True, check="decile BETWEEN 1 AND 10"),
        Column("count_of_profiles", "bigint", required=True),
        Column("value", "double", "sum of the metric", unit=_MONEY),
        Column("min_value", "double", unit=_MONEY),
        Column("p_alive", "double", "mean"),
        Column("expected_purchases", "double", "mean within the horizon"),
        Column("historical_value", "double", "sum", unit=_MONEY),
        Column("residual_value", "double", "sum", unit=_MONEY),
        Column(
            "revenue_after",
            "double",
            "net revenue within the window after the date; NULL until the window has been observed to its end",
            unit=_MONEY,
        ),
        _DAYS_OBSERVED,
        Column("horizon_days", "int", "of residual_value", unit="day"),
    ),
)
FACT_RESPONSE = Table(
    "reporting.fact_response",
    "Contacts and responses by campaign and decile of CLV, in the window after a date; each campaign has a row for "
    "every decile.",
    (
        _AS_OF,
        Column("campaign_id", "string", key=True, references="reporting.dim_campaign"),
        Column("clv_decile", "int", "0: not ranked on as_of_date", key=True),
        *_RESPONSES,
        _DAYS_OBSERVED,
    ),
    checks=_CONTACTED,
)
FACT_RESPONSE_BY_AUDIENCE = Table(
    "reporting.fact_response_by_audience",
    "Contacts and responses by campaign and audience, in the window after a date. Additive over campaigns, where a "
    "person counts once for each; not over audiences, as a person counts in every audience they were in on the date, "
    "and who was in none counts in no row: totals are in reporting.fact_response.",
    (
        _AS_OF,
        Column("campaign_id", "string", key=True, references="reporting.dim_campaign"),
        Column(
            "audience_id",
            "string",
            "audience the person was in on as_of_date",
            key=True,
            references="reporting.dim_audience",
        ),
        *_RESPONSES,
        _DAYS_OBSERVED,
    ),
    checks=_CONTACTED,
)
FACT_ACTIVATION = Table(
    "reporting.fact_activation",
    "What destinations received on a date.",
    (
        _AS_OF,
        Column("destination_id", "string", key=True, references="reporting.dim_destination"),
        Column(
            "audience_id",
            "string",
            "an audience, or what else makes a list: a step of a moment, an offer",
            key=True,
            references="reporting.dim_audience",
        ),
        Column("members", "bigint"),
        Column("without_consent", "bigint"),
        Column("without_identifier", "bigint"),
        Column("suppressed", "bigint"),
        Column("held_out", "bigint"),
        Column("persons_added", "bigint"),
        Column("persons_removed", "bigint"),
        Column("entries_added", "bigint", "lines; persons who share an address are one"),
        Column("entries_removed", "bigint"),
        Column("waiting", "bigint", "instructions that are still to be told"),
        Column("dead", "bigint", "instructions that were given up until a replay"),
    ),
)
TABLES = (
    DIM_DATE,
    DIM_AUDIENCE,
    DIM_CAMPAIGN,
    DIM_CHANNEL,
    DIM_DESTINATION,
    DIM_PERSON_SEGMENT,
    FACT_PROFILE,
    FACT_PROFILE_BY_AUDIENCE,
    FACT_AUDIENCE_OVERLAP,
    FACT_CLV_DECILE,
    FACT_RESPONSE,
    FACT_RESPONSE_BY_AUDIENCE,
    FACT_ACTIVATION,
    *quality_tables.TABLES,
    *finance_tables.TABLES,
)
