"""Contracts of the tables `privacy.*`."""

from clvspark.lakehouse.table import Column, Table

TOMBSTONE = Table(
    "privacy.tombstone",
    "A record, or a row in quarantine, that was erased and must not come back.",
    (
        Column(
            "record_sha256",
            "string",
            "digest of source_system:source_record_id, or of the row",
            key=True,
        ),
        Column("erased_on", "date", required=True),
    ),
)
TABLES = (TOMBSTONE,)
