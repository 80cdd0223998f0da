"""Addresses on a suppression list: no destination is told of them, so nobody is reached there."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.privacy.identifiers import address_key, hash_identifier

LISTED = "activation.suppression"
"""The table of a later room that keeps the list; rooms before it read it by its name."""


def mark_suppressed(contacts: DataFrame, suppression: DataFrame, identifier: str) -> DataFrame:
    """Add ``<identifier>_suppressed``: whether the contact's address is on the list.

    In: contacts, one row a person; activation.suppression. An address is compared in the form in which two spellings
    are equal, and as advertising platforms hash it, since lists come from there as well.
    """
    own = suppression.where(F.col("identifier") == identifier).select("address_sha256").distinct()
    address = F.col(identifier)
    forms = contacts.where(address.isNotNull()).select(
        "person_id", F.explode(F.array(*_digests(identifier, address))).alias("address_sha256")
    )
    found = forms.join(own, on="address_sha256", how="left_semi").select("person_id").distinct()
    mark = F.lit(True).alias(f"{identifier}_suppressed")
    return contacts.join(found.select("person_id", mark), on="person_id", how="left")


def blank_suppressed(
    contacts: DataFrame, suppression: DataFrame, identifiers: tuple[str, ...] = ("email", "phone")
) -> DataFrame:
    """The contacts, those of their addresses NULL that are on the list. In: as `mark_suppressed`."""
    for identifier in identifiers:
        mark = f"{identifier}_suppressed"
        told = F.when(F.col(mark).isNull(), F.col(identifier))
        contacts = mark_suppressed(contacts, suppression, identifier)
        contacts = contacts.withColumn(identifier, told).drop(mark)
    return contacts


def _digests(identifier: str, address: Column) -> list[Column]:
    return [F.sha2(address_key(identifier, address), 256), hash_identifier(address)]
