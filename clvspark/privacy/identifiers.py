"""Identifiers as destinations want them: trimmed, lower-cased, hashed."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

_SHA256 = r"^[0-9a-f]{64}$"


def normalise_identifier(identifier: Column) -> Column:
    """Trimmed and lower-cased: the form in which two spellings of one identifier are equal."""
    return F.lower(F.trim(identifier))


def hash_identifier(identifier: Column) -> Column:
    """SHA-256 in hex of the normalised identifier; one that is hashed already is left as it is."""
    clean = normalise_identifier(identifier)
    return F.when(clean.rlike(_SHA256), clean).otherwise(F.sha2(clean, 256))
