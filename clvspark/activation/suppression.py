"""Suppression lists: addresses that no destination is told, kept as digests alone."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.activation.tables import SUPPRESSION
from clvspark.privacy.identifiers import address_key, hash_identifier


def read_suppressed(
    addresses: DataFrame, *, identifier: str, reason: str, recorded_on: date
) -> DataFrame:
    """Rows of activation.suppression.

    In: ``address``: addresses as they are written, or their SHA-256. Blank ones are left out.
    """
    plain = address_key(identifier, F.col("address"))
    is_hash = F.lower(F.trim("address")).rlike(r"^[0-9a-f]{64}$")
    digest = F.when(is_hash, F.lower(F.trim("address"))).otherwise(F.sha2(plain, 256))
    return (
        addresses.where(F.trim("address") != "")
        .where(is_hash | (plain != ""))
        .select(
            F.lit(identifier).alias("identifier"),
            digest.alias("address_sha256"),
            F.lit(reason).alias("reason"),
            F.lit(recorded_on).alias("recorded_on"),
        )
        .distinct()
        .select(*SUPPRESSION.names)
    )


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


def _digests(identifier: str, address: Column) -> list[Column]:
    return [F.sha2(address_key(identifier, address), 256), hash_identifier(address)]
