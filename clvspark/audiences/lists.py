"""Who is meant by an uploaded list: identifiers become persons."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.rules import Listed
from clvspark.privacy.identifiers import address_key


def find_listed(
    identifiers: DataFrame,
    rule: Listed,
    *,
    persons: DataFrame,
    entries: DataFrame | None,
    links: DataFrame,
) -> DataFrame:
    """``person_id`` of whom an uploaded list names.

    In: ``identifier`` of each row of the list, as text; identity.person; of addresses, rows of `list_entries`; current
    links. An address is one of the person or of any of their records, in whatever spelling, or its SHA-256: of the
    normalised e-mail, of the phone number in E.164. Somebody who shares it is meant as well.
    """
    given = (
        identifiers.select(F.trim("identifier").alias("_given")).where("_given <> ''").distinct()
    )
    if rule.identifier == "person_id":
        return _match(given, persons, F.col("person_id"))
    if rule.identifier == "record":
        return _match(given, links, F.concat_ws(":", "source_system", "source_record_id"))
    assert entries is not None  # noqa: S101 - the caller reads them for addresses
    kind = rule.identifier
    keyed = given.select(address_key(kind, F.col("_given")).alias("_given"))
    digests = given.select(F.lower("_given").alias("_given"))
    own = F.sha2(F.col("phone"), 256) if kind == "phone" else F.sha2(F.col("entry"), 256)
    hashed = persons if kind == "phone" else entries
    found = _match(keyed, entries, F.col("entry")).unionByName(_match(digests, hashed, own))
    return found.distinct()


def _match(given: DataFrame, rows: DataFrame, by: Column) -> DataFrame:
    known = rows.select("person_id", by.alias("_given")).where("_given <> ''")
    return known.join(given.distinct(), on="_given").select("person_id").distinct()
