"""Contracts of the tables `identity.*`, and how the links of a date are read."""

from __future__ import annotations

from datetime import date, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.table import Column, Table

_SYSTEM = Column("source_system", "string", key=True)
_RECORD = Column("source_record_id", "string", key=True, references="sources.customer_record")
_PERSON = Column(
    "person_id",
    "string",
    "the person, stable over runs",
    required=True,
    references="identity.person",
)
_PROBABILITY = "BETWEEN 0 AND 1"

PAIR = Table(
    "identity.pair",
    "Two records that may be one person, with the evidence for it.",
    (
        Column(
            "unique_id_l",
            "string",
            "source_system:source_record_id of the smaller record",
            key=True,
        ),
        Column("unique_id_r", "string", key=True),
        Column("match_weight", "double", "log2 of the Bayes factor, prior included", unit="bit"),
        Column("match_probability", "double", check=f"match_probability {_PROBABILITY}"),
        Column(
            "priority",
            "double",
            "expected number of pairs of records that an answer by people would link or part; NULL: not asked",
            unit="pair",
            check="priority >= 0",
        ),
        Column(
            "reason",
            "string",
            "why it is asked: guard: a guard keeps them apart; separated: they link, their groups do not; bridge: "
            "separated, of groups of three and more; uncertain: of one person, all but even odds",
            check="reason IN ('guard', 'separated', 'bridge', 'uncertain')",
        ),
    ),
    checks={"ordered": "unique_id_l < unique_id_r"},
    deletion_vectors=True,
)
_HASH = "tells whether it has changed"
EVIDENCE = Table(
    "identity.evidence",
    "What the last run compared each record by: the columns of the settings beside these, standardised.",
    (
        Column("unique_id", "string", "source_system:source_record_id", key=True),
        Column(
            "component",
            "string",
            "smallest unique_id of the records that links connect it with, itself if with none",
            required=True,
        ),
        Column("is_divided", "boolean", "a guard has taken its group apart", required=True),
        Column("shared", "array<string>", "columns of its identifiers that are no evidence"),
        Column("record_hash", "bigint", f"of the source record; {_HASH}", required=True),
        Column("decision_hash", "bigint", f"of the decisions about it; {_HASH}"),
        Column("evidence_hash", "bigint", f"of what it is compared by; {_HASH}", required=True),
        Column("basis", "string", "digest of model, settings and code of matching", required=True),
    ),
    deletion_vectors=True,
)
PERSON_LINK = Table(
    "identity.person_link",
    "Which person a record belongs to, from when until when, and when that was known. Rows are closed, never taken "
    "back; reason and probability are those of the newest run that looked at the record.",
    (
        _SYSTEM,
        _RECORD,
        Column("valid_from", "date", "as_of date of the run that linked it", key=True),
        Column(
            "valid_to", "date", "NULL: current; else the as_of date of the run that relinked it"
        ),
        Column("recorded_at", "timestamp", "start of the run that recorded the link", key=True),
        Column("closed_at", "timestamp", "start of the run that recorded valid_to"),
        _PERSON,
        Column("reason", "string", "decision, trusted_identifier, match or single", required=True),
        Column(
            "probability",
            "double",
            "of the strongest link to another record of the person; 1 where it is alone",
            check=f"probability {_PROBABILITY}",
        ),
    ),
    checks={
        "not_backwards": "valid_to IS NULL OR valid_to >= valid_from",
        "closed": "(valid_to IS NULL) = (closed_at IS NULL)",
    },
    change_feed=True,
    deletion_vectors=True,
)
PERSON = Table(
    "identity.person",
    "Golden record: the best value of each attribute over the records of a person, with its origin.",
    (
        Column("person_id", "string", key=True),
        Column("given_name", "string", pii="name"),
        Column("surname", "string", pii="name"),
        Column("birth_date", "date", pii="birth_date"),
        Column("email", "string", pii="email"),
        Column("phone", "string", "E.164", pii="phone"),
        Column("street", "string", pii="address"),
        Column("city", "string", pii="address"),
        Column("postcode", "string", pii="address"),
        Column("records", "int", "records of the person", check="records >= 1"),
        Column("source_systems", "array<string>", "systems that know the person"),
        Column(
            "provenance",
            "map<string,string>",
            "attribute to source_system:source_record_id it came from",
        ),
        Column(
            "decided_by",
            "map<string,string>",
            "attribute to the survivorship rule that chose it; only_value: no other was known; record_id: none decided",
        ),
    ),
    change_feed=True,
    deletion_vectors=True,
)
PERSON_CHANGE = Table(
    "identity.person_change",
    "What happened to a person id in a run.",
    (
        Column("change_id", "string", key=True),
        _PERSON,
        Column(
            "change_type",
            "string",
            "created; split: from another; absorbed: by another; merged: has absorbed another; ended: has no record",
            check="change_type IN ('created', 'absorbed', 'merged', 'split', 'ended')",
        ),
        Column(
            "other_person_id",
            "string",
            "absorbed: the survivor; merged: the absorbed; split: the origin",
        ),
        Column("changed_on", "date", "as_of date of the run", required=True),
        Column(
            "reason",
            "string",
            "records: they came, changed or went; decision: of people; model: it, settings or code changed",
            check="reason IN ('records', 'decision', 'model')",
        ),
        Column("recorded_at", "timestamp", "start of the run", required=True),
        Column("run_id", "string", references="ops.run", required=True),
    ),
    change_feed=True,
)
ALIAS = Table(
    "identity.alias",
    "Where a retired person id leads today; never to another retired id that was absorbed.",
    (
        Column(
            "retired_id", "string", "absorbed; or ended, and its records have come back", key=True
        ),
        _PERSON,
        Column("retired_on", "date", "as_of date of the run that retired it", required=True),
        Column("recorded_at", "timestamp", "start of that run", required=True),
    ),
    change_feed=True,
)
REVIEW_PAIR = Table(
    "identity.review_pair",
    "The undecided pairs whose answer by people would teach most, the first of a bounded number.",
    tuple(
        Column(
            c.name,
            c.type,
            c.comment,
            key=c.key,
            unit=c.unit,
            check=c.check,
            required=c.name == "reason",
        )
        for c in PAIR.columns
    ),
    checks=PAIR.checks,
)
REVIEW = Table(
    "identity.review",
    "A component that a guard took apart, or a block that was too large to compare.",
    (
        Column("review_id", "string", "digest of component or block", key=True),
        Column("guard", "string", "oversized_component or hot_block", required=True),
        Column("records", "int", check="records >= 1"),
        Column("detail", "string", "what the guard did"),
    ),
)
SHARED_IDENTIFIER = Table(
    "identity.shared_identifier",
    "An identifier seen with too many distinct names to be evidence for one person.",
    (
        Column("kind", "string", key=True),
        Column("identifier_sha256", "string", "digest of the standardised value", key=True),
        Column("distinct_names", "int", check="distinct_names >= 1"),
        Column("records", "int", check="records >= 1"),
    ),
)
MODEL = Table(
    "identity.model",
    "Trained linkage models; the champion links.",
    (
        Column("model_id", "string", "digest of the model", key=True),
        Column("trained_on", "date", "as_of date of the run", required=True),
        Column("records_sampled", "int"),
        Column("trained_for", "string", "digest of the settings it was trained for", required=True),
        Column("settings", "string", "model in Splink's JSON form", required=True),
        Column("report", "string", "report of the training as JSON: levels, EM runs, unlinkables"),
        Column("registry_version", "string", "version in the MLflow registry"),
        Column("is_champion", "boolean", required=True),
    ),
)
TERM_FREQUENCY = Table(
    "identity.term_frequency",
    "Shares of values at training, frozen with the champion model; values are hashed.",
    (
        Column("name", "string", "column of the standardised record", key=True),
        Column("value_hash", "bigint", "xxhash64 of column name and value", key=True),
        Column("share", "double", "of the records with a value", check="share > 0 AND share <= 1"),
    ),
)
DECISION = Table(
    "identity.decision",
    "What people decided about two records; it goes before the model and survives retraining.",
    (
        Column("unique_id_l", "string", "source_system:source_record_id", key=True),
        Column("unique_id_r", "string", key=True),
        Column("verdict", "string", required=True, check="verdict IN ('same', 'different')"),
        Column("decided_by", "string", "who, as the command was told"),
        Column("decided_at", "timestamp", required=True),
    ),
    checks={"ordered": "unique_id_l < unique_id_r"},
    change_feed=True,
)
# Written by the stage; decisions are written by people.
RESOLVED = (
    PAIR,
    PERSON_LINK,
    PERSON,
    PERSON_CHANGE,
    ALIAS,
    REVIEW,
    REVIEW_PAIR,
    EVIDENCE,
    SHARED_IDENTIFIER,
    MODEL,
    TERM_FREQUENCY,
)
TABLES = (*RESOLVED, DECISION)
# Kinds of personal data by kind of attribute; the others are none by themselves.
_PII = {
    "given_name": "name",
    "surname": "name",
    "full_name": "name",
    "birth_date": "birth_date",
    "email": "email",
    "phone": "phone",
    "street": "address",
    "postcode": "address",
    "address": "address",
    "identifier": "identifier",
}


def evidence_table(settings: IdentitySettings) -> Table:
    """identity.evidence with the columns of these settings. Other settings make everything anew, columns included."""
    columns = tuple(
        Column(name, type_, "standardised", pii=_PII.get(attribute.kind))
        for attribute in settings.attributes
        for name, type_ in {attribute.column: "string", **attribute.derived}.items()
    )
    return Table(
        EVIDENCE.name, EVIDENCE.comment, (*EVIDENCE.columns, *columns), deletion_vectors=True
    )


def current_links(links: DataFrame) -> DataFrame:
    """Who every record is today, one row a record. In and out: identity.person_link."""
    return links.where("valid_to IS NULL")


def links_as_of(links: DataFrame, valid_on: date, known_at: datetime | None = None) -> DataFrame:
    """Who every record was on `valid_on`, as was known at `known_at`; as is known today where it is None.

    In and out: identity.person_link. Of a link whose end was not known yet `valid_to` and `closed_at` are NULL; its
    reason and probability are always those that are known today.
    """
    known = links
    if known_at is not None:
        moment = F.lit(known_at)
        is_closed = F.col("closed_at") <= moment
        known = links.where(F.col("recorded_at") <= moment).withColumns(
            {name: F.when(is_closed, F.col(name)) for name in ("valid_to", "closed_at")}
        )
    day = F.lit(valid_on)
    in_force = F.col("valid_to").isNull() | (F.col("valid_to") > day)
    return known.where((F.col("valid_from") <= day) & in_force).select(*PERSON_LINK.names)


def resolve_aliases(rows: DataFrame, aliases: DataFrame) -> DataFrame:
    """Rows with the retired ids in ``person_id`` replaced by those they lead to today.

    In: any rows with ``person_id``; identity.alias.
    """
    heirs = aliases.select(
        F.col("retired_id").alias("person_id"), F.col("person_id").alias("_heir")
    )
    found = rows.join(heirs, on="person_id", how="left")
    return found.withColumn("person_id", F.coalesce("_heir", "person_id")).select(*rows.columns)
