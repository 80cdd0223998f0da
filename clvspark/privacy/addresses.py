"""Addresses that several persons share: what one of them has refused, nobody is sent there."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.privacy.consent import ANY, CHANNELS, consent_by_channel
from clvspark.privacy.identifiers import address_key

_RECORD = ["source_system", "source_record_id"]
# Columns of sources.customer_record by identifier of identity.person.
WRITTEN = {"email": ("email",), "phone": ("phone", "mobile")}


def list_entries(
    persons: DataFrame, records: DataFrame, links: DataFrame, identifier: str
) -> DataFrame:
    """``person_id, entry``: every address of a person, normalised, be it of the person or of one of their records.

    In: identity.person; sources.customer_record; current links. Entries are those of `address_key`.
    """
    told = persons.select("person_id", address_key(identifier, F.col(identifier)).alias("entry"))
    written = F.array(*(address_key(identifier, F.col(name)) for name in WRITTEN[identifier]))
    people = links.select(*_RECORD, "person_id")
    known = records.select(*_RECORD, F.explode(written).alias("entry")).join(people, on=_RECORD)
    every = told.unionByName(known.select("person_id", "entry"))
    return every.where("entry <> ''").distinct()


def add_unread_entries(entries: DataFrame, addresses: DataFrame, identifier: str) -> DataFrame:
    """Entries, and those of them that records have which nobody could read: each of these is a person of its own.

    In: rows of `list_entries`; sources.unread_address.
    """
    own = addresses.where(F.col("identifier") == identifier)
    digests = own.select(_person_of_unread(), F.col("address_sha256").alias("_digest"))
    known = entries.select("entry", address_digest(F.col("entry")).alias("_digest")).distinct()
    unread = digests.join(known, on="_digest").select("person_id", "entry")
    return entries.unionByName(unread.distinct())


def add_unread_links(links: DataFrame, addresses: DataFrame) -> DataFrame:
    """``source_system, source_record_id, person_id`` of links, and of such records, to nobody else."""
    unread = addresses.select(*_RECORD, _person_of_unread()).distinct()
    return links.select(*unread.columns).unionByName(unread)


def address_digest(entry: Column) -> Column:
    """Digest of an address as `address_key` has it, as in sources.unread_address."""
    return F.sha2(entry, 256)


def _person_of_unread() -> Column:
    return F.concat_ws(":", *_RECORD).alias("person_id")


def judge_entries(entries: DataFrame, consent: DataFrame) -> DataFrame:
    """``entry, consent_<channel>``: what the persons who share an address allow, the most restrictive of them.

    In: rows of `list_entries`; of `resolve_consent`. Who never spoke of a channel, nor of any, neither allows nor
    refuses it; where nobody did it is NULL.
    """
    spoken = consent.groupBy("person_id").agg(F.collect_set("channel").alias("_spoken"))
    people = consent_by_channel(consent, CHANNELS).join(spoken, on="person_id")
    shared = entries.join(people, on="person_id").groupBy("entry")
    return shared.agg(
        *(
            F.bool_and(F.when(_is_spoken_of(name), F.col(f"consent_{name}"))).alias(
                f"consent_{name}"
            )
            for name in CHANNELS
        )
    )


def _is_spoken_of(channel: str) -> Column:
    return F.array_contains("_spoken", channel) | F.array_contains("_spoken", ANY)
