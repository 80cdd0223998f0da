"""Suppression lists: addresses that no destination is told, kept as digests alone."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.tables import SUPPRESSION
from clvspark.privacy.identifiers import address_key


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
