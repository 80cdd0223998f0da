"""Contracts of the tables `audiences.*`."""

from clvspark.lakehouse.table import Column, Table

_PERSON = Column("person_id", "string", key=True, references="identity.person")
_AS_OF = Column("as_of_date", "date", key=True)

DECILE = Table(
    "audiences.decile",
    "Rank of a person by a metric, in tenths; 1 is the best.",
    (
        _PERSON,
        Column(
            "metric",
            "string",
            "revenue_month_1/3/6/9/12, revenue_all, clv or residual_value",
            key=True,
        ),
        _AS_OF,
        Column("value", "double", unit="lakehouse currency"),
        Column("rank", "bigint", "1 is the best; ties by a hash of the person", check="rank >= 1"),
        Column("decile", "int", required=True, check="decile BETWEEN 1 AND 10"),
    ),
    cluster_by=("person_id",),
    change_feed=True,
)
DEFINITION = Table(
    "audiences.definition",
    "Each version of each audience's rule.",
    (
        Column("audience_id", "string", key=True),
        Column("version", "int", key=True),
        Column("name", "string", required=True),
        Column("description", "string"),
        Column("owner", "string"),
        Column("rule", "string", "JSON of the rule", required=True),
    ),
)
MEMBERSHIP = Table(
    "audiences.membership",
    "Who is, or was, in an audience.",
    (
        Column("audience_id", "string", key=True, references="audiences.definition"),
        _PERSON,
        Column(
            "status",
            "string",
            "realized or exited",
            required=True,
            check="status IN ('realized', 'exited')",
        ),
        Column("version", "int", "of the definition", required=True),
        Column("qualified_on", "date", "as_of date of the last entry", required=True),
        Column("exited_on", "date", "as_of date of the exit; NULL while realized"),
    ),
    change_feed=True,
)
MEMBERSHIP_EVENT = Table(
    "audiences.membership_event",
    "A person entering or leaving an audience.",
    (
        Column("event_id", "string", key=True),
        Column("audience_id", "string", required=True),
        Column("person_id", "string", required=True),
        Column("transition", "string", required=True, check="transition IN ('enter', 'exit')"),
        Column("happened_on", "date", "as_of date", required=True),
        Column("version", "int", "of the definition", required=True),
    ),
    change_feed=True,
)
ESTIMATE = Table(
    "audiences.estimate",
    "Size, value and reach of an audience on a date.",
    (
        Column("audience_id", "string", key=True),
        _AS_OF,
        Column("profiles_read", "bigint"),
        Column("profiles_matched", "bigint", required=True),
        Column("contactable_email", "bigint", "members with consent and an address"),
        Column("clv", "double", "sum over the members", unit="lakehouse currency"),
        Column("entered", "bigint"),
        Column("exited", "bigint"),
    ),
)
TABLES = (DECILE, DEFINITION, MEMBERSHIP, MEMBERSHIP_EVENT, ESTIMATE)
