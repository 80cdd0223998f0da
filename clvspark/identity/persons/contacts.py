"""E-mail address and phone number of each record as the golden record has them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.cleaning.standardise import standardise_records
from clvspark.identity.settings import Attribute, IdentitySettings

# How sources.customer_record has them, for settings that do not name them.
_CONTACTS = [
    Attribute.model_validate(contact)
    for contact in (
        {"column": "email", "kind": "email", "compare": False},
        {"column": "mobile", "kind": "phone", "fallbacks": ["phone"], "compare": False},
    )
]


def gather_contacts(
    records: DataFrame, standard: DataFrame, settings: IdentitySettings
) -> DataFrame:
    """``unique_id, email, phone``, standardised, NULL where a record has none.

    In: sources.customer_record; the same records standardised by `settings`. What the settings have no attribute
    for is standardised here: people are addressed by it whether or not it tells who they are.
    """
    named = {contact.kind: settings.column_of(contact.kind) for contact in _CONTACTS}
    found = standard.select(
        "unique_id", *(F.col(column).alias(kind) for kind, column in named.items() if column)
    )
    unnamed = [contact for contact in _CONTACTS if named[contact.kind] is None]
    if not unnamed:
        return found
    others = standardise_records(records, settings.model_copy(update={"attributes": unnamed}))
    others = others.select(
        "unique_id", *(F.col(contact.column).alias(contact.kind) for contact in unnamed)
    )
    return found.join(others, on="unique_id", how="left")
