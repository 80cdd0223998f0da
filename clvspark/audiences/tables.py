"""Contracts of the tables `audiences.*`, and how memberships of a date are read from their events."""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.tables import resolve_aliases
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.table import Column, Table
from clvspark.privacy.consent import CHANNELS

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
            "revenue, margin or orders, of month_1/3/6/9/12 or all, clv, residual_value; behind a blank channel= or "
            "category=, where it is of one",
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
_LOOK_BACKS = ("month_1", "month_3", "month_6", "month_9", "month_12", "all")
PERSON_DECILE = Table(
    "audiences.person_decile",
    "All deciles of a person by a past metric; every person is there, NULL is the decile of who had no activity.",
    (
        _PERSON,
        Column(
            "metric",
            "string",
            "revenue, margin or orders; behind a blank channel= or category=, where it is of one",
            key=True,
        ),
        _AS_OF,
        *(
            Column(f"value_{w}", "double", "0: no activity", unit="of the metric")
            for w in _LOOK_BACKS
        ),
        *(
            Column(f"decile_{w}", "int", "1 is the best", check=f"decile_{w} BETWEEN 1 AND 10")
            for w in _LOOK_BACKS
        ),
    ),
    cluster_by=("person_id",),
)
EXPECTED_DECILE = Table(
    "audiences.expected_decile",
    "Where a person will be among all by what they bring within the horizon, and how sure that is.",
    (
        _PERSON,
        _AS_OF,
        Column(
            "decile", "int", "by residual_value", required=True, check="decile BETWEEN 1 AND 10"
        ),
        Column(
            "decile_best",
            "int",
            "at the upper end of 80 % of the outcome; NULL where the model cannot say",
            check="decile_best BETWEEN 1 AND 10",
        ),
        Column("decile_worst", "int", "at the lower end", check="decile_worst BETWEEN 1 AND 10"),
        Column(
            "p_top_decile",
            "double",
            "probability to be of the tenth that brings most",
            check="p_top_decile BETWEEN 0 AND 1",
        ),
    ),
    cluster_by=("person_id",),
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
        Column("rule", "string", "JSON of the definition", required=True),
        Column("labels", "array<string>"),
        Column("schedule", "string", allowed=("every_run", "weekly", "monthly")),
        Column("evaluation", "string", allowed=("batch", "stream")),
        Column(
            "builds_on", "array<string>", "ids of the audiences that its rule names, in their order"
        ),
        Column(
            "batch_reasons", "array<string>", "why a stream cannot evaluate it; empty where it can"
        ),
    ),
)
STATE = Table(
    "audiences.state",
    "What the last evaluation knew of a person beside their events; whom it no longer fits is evaluated again.",
    (
        Column("person_id", "string", key=True, references="identity.person"),
        Column(
            "state_hash", "bigint", "of what the conditions of rules answer about it", required=True
        ),
        Column("clv", "double", unit="lakehouse currency"),
        *(
            Column(f"reach_{channel}", "boolean", "may be contacted there", required=True)
            for channel in CHANNELS
        ),
    ),
    deletion_vectors=True,
)
OVERLAP = Table(
    "audiences.overlap",
    "How many persons two audiences share on a date; pairs that share nobody are not there.",
    (
        Column("audience_id", "string", "the one before the other by letter", key=True),
        Column("other_id", "string", key=True, references="audiences.definition"),
        _AS_OF,
        Column("persons", "bigint", "in both", required=True, check="persons >= 1"),
        Column("jaccard", "double", "in both / in any of them", check="jaccard BETWEEN 0 AND 1"),
    ),
)
SAVED = Table(
    "audiences.saved",
    "A list of persons that somebody has saved from a query.",
    (
        Column("audience_id", "string", key=True),
        Column("name", "string", required=True),
        Column("description", "string"),
        Column("owner", "string"),
        Column("saved_at", "timestamp", required=True),
        Column("persons", "bigint", required=True, check="persons >= 0"),
    ),
)
SAVED_MEMBER = Table(
    "audiences.saved_member",
    "Who is on a saved list.",
    (Column("audience_id", "string", key=True, references="audiences.saved"), _PERSON),
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
    deletion_vectors=True,
)
MEMBERSHIP_EVENT = Table(
    "audiences.membership_event",
    "A person entering or leaving an audience, against the day before; a rerun replaces the events of its date.",
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
        Column(
            "contactable_email",
            "bigint",
            "members with an address, and the consent of all who share it",
        ),
        Column("clv", "double", "sum over the members", unit="lakehouse currency"),
        Column("entered", "bigint"),
        Column("exited", "bigint"),
        Column("contactable_push", "bigint", "members who consent"),
        Column("contactable_sms", "bigint", "as contactable_email, of a phone number"),
        Column("version", "int", "of the definition; NULL: it is defined no more"),
        Column("evaluated_on", "date", "when it was its turn last"),
    ),
)


def membership_on(events: DataFrame, day: date) -> DataFrame:
    """audiences.membership as it was after `day`, whatever has happened since.

    In: audiences.membership_event. The version is that of the last entry or exit.
    """
    past = events.where(F.col("happened_on") <= F.lit(day))
    entered = F.col("transition") == "enter"
    when = F.struct("happened_on", "transition")
    last = past.groupBy("audience_id", "person_id").agg(
        F.max_by("transition", when).alias("_last"),
        F.max_by("version", when).alias("version"),
        F.max(F.when(entered, F.col("happened_on"))).alias("qualified_on"),
        F.max(F.when(~entered, F.col("happened_on"))).alias("_exited_on"),
    )
    inside = F.col("_last") == "enter"
    columns = {
        "status": F.when(inside, "realized").otherwise("exited"),
        "exited_on": F.when(~inside, F.col("_exited_on")),
    }
    return last.withColumns(columns).select(*MEMBERSHIP.names)


def members_on(events: DataFrame, day: date) -> DataFrame:
    """``audience_id, person_id`` of who was in which audience on `day`. In: audiences.membership_event."""
    inside = membership_on(events, day).where("status = 'realized'")
    return inside.select("audience_id", "person_id")


def ranks_of_today(deciles: DataFrame, aliases: DataFrame, day: date) -> DataFrame:
    """``person_id, metric, decile`` as of `day`, one row for whoever a person is today.

    In: audiences.decile; identity.alias. Who has absorbed others since keeps their own decile, and has the
    best of theirs where they were not ranked.
    """
    own = F.col("person_id").alias("_was")
    ranked = deciles.where(rows_of(day))
    now = resolve_aliases(ranked.select("person_id", "metric", "decile", own), aliases)
    age = F.struct(F.col("_was") != F.col("person_id"), "decile")
    return now.groupBy("person_id", "metric").agg(F.min_by("decile", age).alias("decile"))


def members_of_today(members: DataFrame, aliases: DataFrame) -> DataFrame:
    """``audience_id, person_id`` of whoever the members are today. In: `members_on`; identity.alias."""
    return resolve_aliases(members, aliases).distinct()


def later_evaluation(estimates: DataFrame, day: date) -> date | None:
    """The newest date after `day` for which audiences have been evaluated, None where there is none.

    In: audiences.estimate. Memberships go forward in time only: what a later date found stands.
    """
    found: date | None = (
        estimates.where(F.col("as_of_date") > F.lit(day)).agg(F.max("as_of_date")).collect()[0][0]
    )
    return found


# Written by the stage; lists are saved by people.
EVALUATED = (
    DECILE,
    PERSON_DECILE,
    EXPECTED_DECILE,
    DEFINITION,
    MEMBERSHIP,
    MEMBERSHIP_EVENT,
    ESTIMATE,
    OVERLAP,
    STATE,
)
TABLES = (*EVALUATED, SAVED, SAVED_MEMBER)
