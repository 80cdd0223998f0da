"""Contracts of the tables `identity.*`."""

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
    ),
    checks={"ordered": "unique_id_l < unique_id_r"},
)
PERSON_LINK = Table(
    "identity.person_link",
    "Which person a record belongs to, from when until when.",
    (
        _SYSTEM,
        _RECORD,
        Column("valid_from", "date", "as_of date of the run that linked it", key=True),
        Column(
            "valid_to", "date", "NULL: current; else the as_of date of the run that relinked it"
        ),
        _PERSON,
        Column("reason", "string", "trusted_identifier, match or single", required=True),
        Column(
            "probability",
            "double",
            "of the strongest link to another record of the person; 1 where it is alone",
            check=f"probability {_PROBABILITY}",
        ),
    ),
    change_feed=True,
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
            check="change_type IN ('created', 'absorbed', 'merged', 'split')",
        ),
        Column(
            "other_person_id",
            "string",
            "absorbed: the survivor; merged: the absorbed; split: the origin",
        ),
        Column("changed_on", "date", "as_of date of the run", required=True),
    ),
    change_feed=True,
)
REVIEW = Table(
    "identity.review",
    "A group of records that a guard took apart, or a block that was too large to compare.",
    (
        Column("review_id", "string", key=True),
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
    REVIEW,
    SHARED_IDENTIFIER,
    MODEL,
    TERM_FREQUENCY,
)
TABLES = (*RESOLVED, DECISION)
