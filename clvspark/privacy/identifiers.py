"""Identifiers as destinations want them: trimmed, lower-cased, hashed."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

_SHA256 = r"^[0-9a-f]{64}$"


def normalise_identifier(identifier: Column) -> Column:
    """Trimmed and lower-cased: the form in which two spellings of one identifier are equal."""
    return F.lower(F.trim(identifier))


def address_key(kind: str, identifier: Column) -> Column:
    """What two spellings of one address have in common: an e-mail normalised, the last nine digits of a number.

    Blanks and signs that nobody sees are no part of an e-mail. Systems write a number with or without the code of its
    country (+44 7700 900123, 07700 900123). Two numbers of different countries that end alike are taken for one, so
    that a refusal is rather heeded twice than not at all.
    """
    if kind == "phone":
        return F.right(F.regexp_replace(identifier, r"\D", ""), F.lit(9))
    return normalise_identifier(F.regexp_replace(identifier, r"[\s\p{Z}\p{C}]", ""))


def hash_identifier(identifier: Column) -> Column:
    """SHA-256 in hex of the normalised identifier; one that is hashed already is left as it is."""
    clean = normalise_identifier(identifier)
    return F.when(clean.rlike(_SHA256), clean).otherwise(F.sha2(clean, 256))
