"""Addresses that several persons share: what one of them has refused, nobody is sent there."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.privacy.consent import CHANNELS, consent_by_channel, resolve_consent
from clvspark.privacy.identifiers import normalise_identifier

_RECORD = ["source_system", "source_record_id"]
# Columns of sources.customer_record by identifier of identity.person.
_WRITTEN = {"email": ("email",), "phone": ("phone", "mobile")}


def list_entries(
    persons: DataFrame, records: DataFrame, links: DataFrame, identifier: str
) -> DataFrame:
    """``person_id, entry``: every address of a person, normalised, be it of the person or of one of their records.

    In: identity.person; sources.customer_record; current links. A telephone number is the same where it is written
    the same; golden records have it in E.164.
    """
    told = persons.select("person_id", normalise_identifier(F.col(identifier)).alias("entry"))
    written = F.array(*(normalise_identifier(F.col(name)) for name in _WRITTEN[identifier]))
    people = links.select(*_RECORD, "person_id")
    known = records.select(*_RECORD, F.explode(written).alias("entry")).join(people, on=_RECORD)
    every = told.unionByName(known.select("person_id", "entry"))
    return every.where("entry <> ''").distinct()


def judge_entries(
    entries: DataFrame, statements: DataFrame, links: DataFrame, *, until: Column
) -> DataFrame:
    """``entry, consent_<channel>``: what the persons who share an address allow, the most restrictive of them.

    In: rows of `list_entries`; sources.consent; current links. As for one person: the newest word of each record
    counts, and of those the most restrictive, here over all records of all who share the address.
    """
    spoken = links.select(*_RECORD, "person_id").join(entries, on="person_id")
    of_entries = spoken.select(*_RECORD, F.col("entry").alias("person_id"))
    consent = resolve_consent(statements, of_entries, purpose="marketing", until=until)
    return consent_by_channel(consent, CHANNELS).withColumnRenamed("person_id", "entry")
