"""The right to be forgotten: a person's rows go, their sales stay as anonymous sums, a tombstone stays for good."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.lakehouse import Lakehouse, Table
from clvspark.lakehouse.errors import MissingInputError
from clvspark.privacy.addresses import address_digest
from clvspark.privacy.identifiers import address_key
from clvspark.privacy.removals import leave_removals
from clvspark.privacy.tables import TOMBSTONE
from clvspark.privacy.tombstones import (
    RECORD,
    SALES,
    digest_of,
    record_digest,
    row_digest,
)

LINKS = "identity.person_link"
RECORDS = "sources.customer_record"
QUARANTINE = "sources.quarantine"
ADDRESS = "sources.unread_address"
OUTBOX = "activation.outbox"
# How the removals that destinations still have to be told are called in the account of an erasure.
REMOVALS = (
    "activation.outbox: kept without the person, a removal to be delivered by the next activate"
)
# Sales keep their amounts, or the books would change; they lose the person.
_ANONYMISED = {"sources.event": "source_record_id", "history.order": "person_id"}
# Names of another record on a row that stays, and whose name takes their place.
_FREED = {"component": "unique_id"}
# Words of a row that may be e-mails: of the plain signs, and of all that an e-mail may have.
_EMAILS = (
    r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+",
    r"(?U)[\w.!#$&'*+/=?^{}~%-]+@[\w-]+(?:\.[\w-]+)+",
)
_SALE = {
    "sources.event": f"event_type IN ({', '.join(map(repr, SALES))})",
    "history.order": "true",
}


def erase_persons(lake: Lakehouse, records: Sequence[str], *, requested_on: date) -> dict[str, int]:
    """Erase the persons of the records ``system:id``; return the rows touched by table, and REMOVALS.

    Every record of such a person goes, from every table that names records or persons: tombstones first and links
    last, so that an interrupted erasure is finished by the next one and nothing is ingested again. A record that is
    in quarantine alone is erased without a person, and so is one whose id is an e-mail of the person. Lists that
    were told about the person are told to remove them by the next activation; REMOVALS counts these. Raises
    MissingInputError, before anything is erased, where one of the records is not known or belongs to no person yet.
    """
    with lake.writing("forget"):
        erased = _list_erased(lake, records)
        if erased:
            _purge_marked(lake)
        found = _records_of_persons(lake, records).localCheckpoint()
        _refuse_unknown(lake, records, found, erased)
        emails = _list_emails(lake, found).localCheckpoint()
        found = found.unionByName(_list_guests(lake, emails, found)).distinct().localCheckpoint()
        digest = record_digest(F.col("source_system"), F.col("source_record_id"))
        stones = found.select(
            digest.alias("record_sha256"), F.lit(requested_on).alias("erased_on")
        ).distinct()
        lake.merge(TOMBSTONE, stones)
        touched: dict[str, int] = {}
        if lake.exists(lake.tables[OUTBOX]):
            touched |= _empty_outbox(lake, found, requested_on)
        # An interrupted erasure finds the person by their links, what else names them by their records, and a record
        # that is in quarantine alone there: these go last, in this order.
        last = {QUARANTINE: 1, ADDRESS: 2, RECORDS: 3, LINKS: 4}
        for table in sorted(lake.tables.values(), key=lambda table: last.get(table.name, 0)):
            if table.name not in touched and lake.exists(table):
                touched[table.name] = (
                    _hide_in_quarantine(lake, found, emails, requested_on)
                    if table.name == QUARANTINE
                    else _erase_from(lake, table, found)
                )
    return {name: rows for name, rows in touched.items() if rows}


def _list_erased(lake: Lakehouse, records: Sequence[str]) -> set[str]:
    """Those of the records that have a tombstone, which is the first that an erasure writes."""
    digests = {digest_of(record): record for record in records}
    stones = lake.read_or_empty(TOMBSTONE).where(F.col("record_sha256").isin(*digests)).collect()
    return {digests[row["record_sha256"]] for row in stones}


def _purge_marked(lake: Lakehouse) -> None:
    """Purge what an erasure that was interrupted may have marked as deleted, in files that stay."""
    for table in lake.tables.values():
        if table.deletion_vectors and lake.exists(table):
            purge_deleted(lake, table)


def _refuse_unknown(
    lake: Lakehouse, records: Sequence[str], found: DataFrame, erased: set[str]
) -> None:
    """Nobody may believe that a record is erased which was misspelt.

    An id may tell who somebody is, and messages are logged: records are told by their place among those given.
    """
    known = {row[0] for row in found.select("unique_id").where(_is_named(records)).collect()}
    missing = [record for record in dict.fromkeys(records) if record not in known]
    if not missing:
        return
    landed = lake.read_or_empty(lake.tables[RECORDS]).select(_unique_id())
    waiting = {row[0] for row in landed.where(_is_named(missing)).collect()}
    reasons = {
        "erased already": erased.intersection(missing),
        "not resolved yet (run first: clvspark resolve)": waiting - erased,
        "not known (records are given as SYSTEM:ID, e.g. crm:C0000000000001)": {
            record for record in missing if record not in waiting | erased
        },
    }
    told = [
        f"{', '.join(str(n) for n, record in enumerate(records, 1) if record in those)}: {reason}"
        for reason, those in reasons.items()
        if those
    ]
    raise MissingInputError(
        f"Nothing was erased. Of the {len(records)} records given, by their place: {'; '.join(told)}. Leave these out, "
        "or correct them."
    )


def _unique_id() -> Column:
    return F.concat_ws(":", "source_system", "source_record_id").alias("unique_id")


def _is_named(records: Sequence[str]) -> Column:
    return F.col("unique_id").isin(*records)


def purge_deleted(lake: Lakehouse, table: Table) -> None:
    """Rewrite the files that still hold what was deleted, and remove the old ones as far as retention allows."""
    lake.spark.sql(f"REORG TABLE {lake.storage.identifier(table.name)} APPLY (PURGE)")
    lake.storage.delta(table.name).vacuum()
    lake.log.forget_version(table)


def _empty_outbox(lake: Lakehouse, found: DataFrame, requested_on: date) -> dict[str, int]:
    """Take the persons out of the outbox, in one commit with the removals that they leave there."""
    table = lake.tables[OUTBOX]
    rows, removals = leave_removals(lake, table, found, requested_on)
    if rows:
        purge_deleted(lake, table)
    return {OUTBOX: rows - removals, REMOVALS: removals}


def _records_of_persons(lake: Lakehouse, records: Sequence[str]) -> DataFrame:
    """``source_system, source_record_id, person_id, unique_id`` of all records of the persons named.

    The records are those of the persons today; their person ids are also those that were absorbed into the
    persons since. A record that has moved to somebody else is not among them.
    """
    links = lake.table(LINKS).select("*", _unique_id())
    key = ["source_system", "source_record_id", "unique_id"]
    latest = links.groupBy(*key).agg(
        F.max_by("person_id", F.struct("valid_from", "recorded_at")).alias("person_id")
    )
    persons = latest.where(_is_named(records)).select("person_id").distinct()
    found = latest.join(F.broadcast(persons), on="person_id", how="left_semi").localCheckpoint()
    before = links.join(F.broadcast(found.select("unique_id")), on="unique_id", how="left_semi")
    before = before.select(*found.columns)
    alive = latest.select("person_id").distinct()
    absorbed = before.join(alive, on="person_id", how="left_anti")
    lost = _records_in_quarantine_alone(lake, records, latest)
    return reduce(DataFrame.unionByName, (found, absorbed, lost)).distinct()


def _records_in_quarantine_alone(
    lake: Lakehouse, records: Sequence[str], linked: DataFrame
) -> DataFrame:
    """Those named that sources.quarantine or sources.unread_address holds, and that neither landed nor are linked."""
    rows = lake.read_or_empty(lake.tables[QUARANTINE]).where("source_record_id IS NOT NULL")
    held = rows.select(F.col("record_system").alias("source_system"), "source_record_id")
    held = held.unionByName(lake.read_or_empty(lake.tables[ADDRESS]).select(*RECORD))
    named = held.select("*", _unique_id()).where(_is_named(records))
    return _without_person(lake, named, linked).select(*linked.columns)


def _without_person(lake: Lakehouse, records: DataFrame, linked: DataFrame) -> DataFrame:
    """Records with ``unique_id`` that are neither landed nor linked, with a ``person_id`` of NULL."""
    known = lake.read_or_empty(lake.tables[RECORDS]).select(_unique_id())
    known = known.unionByName(linked.select("unique_id"))
    alone = records.distinct().join(known, on="unique_id", how="left_anti")
    return alone.withColumn("person_id", F.lit(None).cast("string"))


def _list_emails(lake: Lakehouse, found: DataFrame) -> DataFrame:
    """``digest, entry``: the e-mails of the records, as `address_key` has them; of some the digest alone is known.

    An id may be one. What holds no @ is none, and could be a word of any row.
    """
    records = F.broadcast(found.select(*RECORD).distinct())
    own = lake.read_or_empty(lake.tables[RECORDS]).join(records, on=RECORD, how="left_semi")
    written = own.select("email").unionByName(
        found.select(F.col("source_record_id").alias("email"))
    )
    entries = written.select(address_key("email", F.col("email")).alias("entry"))
    known = entries.where("entry LIKE '%@%'").select(address_digest(F.col("entry")), "entry")
    unread = lake.read_or_empty(lake.tables[ADDRESS]).where("identifier = 'email'")
    unread = unread.join(records, on=RECORD, how="left_semi")
    hidden = unread.select("address_sha256", F.lit(None).cast("string").alias("entry"))
    return known.unionAll(hidden).toDF("digest", "entry").distinct()


def _list_guests(lake: Lakehouse, emails: DataFrame, found: DataFrame) -> DataFrame:
    """Records whose id is one of the e-mails, and that are nobody's, as the records found.

    Nobody's: neither landed nor linked, and no record of somebody who stays has the e-mail too.
    """
    stay = lake.read_or_empty(lake.tables[RECORDS]).join(
        F.broadcast(found.select(*RECORD)), on=RECORD, how="left_anti"
    )
    theirs = stay.select(address_digest(address_key("email", F.col("email"))).alias("digest"))
    own = emails.select("digest").distinct()
    own = own.join(theirs.where("digest IS NOT NULL"), on="digest", how="left_anti")
    quarantined = lake.read_or_empty(lake.tables[QUARANTINE])
    ids = [quarantined.select(F.col("record_system").alias("source_system"), "source_record_id")]
    ids += [
        lake.read(table).select(*RECORD)
        for table in lake.tables.values()
        if set(RECORD) <= set(table.names)
        and table.name not in (QUARANTINE, RECORDS, LINKS)
        and lake.exists(table)
    ]
    digest = address_digest(address_key("email", F.col("source_record_id"))).alias("digest")
    every = reduce(DataFrame.unionByName, ids).where("source_record_id LIKE '%@%'")
    named = every.select(*RECORD, _unique_id(), digest)
    named = named.join(F.broadcast(own), on="digest", how="left_semi").drop("digest")
    alone = _without_person(lake, named, lake.table(LINKS).select(_unique_id()))
    return alone.select(*RECORD, "person_id", "unique_id")


def _hide_in_quarantine(
    lake: Lakehouse, found: DataFrame, emails: DataFrame, requested_on: date
) -> int:
    """Blank the rows in quarantine that name one of the records, or an e-mail of theirs; they stay in the counts."""
    table = lake.tables[QUARANTINE]
    # What another person's erasure has blanked may still say of whom it is.
    rows = lake.read(table).where("raw IS NOT NULL OR source_record_id IS NOT NULL")
    records = found.select(*RECORD).distinct()
    own = records.select(
        F.col("source_system").alias("_system"), F.col("source_record_id").alias("_id")
    )
    is_own = F.col("record_system").eqNullSafe(F.col("_system"))
    is_own &= F.col("source_record_id") == F.col("_id")
    rows = rows.join(F.broadcast(own), is_own, "left").alias("q")
    addresses = emails.where("entry IS NOT NULL").select(
        F.col("entry").alias("needle"), F.lit(None).cast("string").alias("system")
    )
    ids = records.select(
        F.lower("source_record_id").alias("needle"), F.col("source_system").alias("system")
    )
    # Whole words only: the id 12 is not in 4123.
    names = F.expr(
        "(s.system IS NULL OR s.system IN (q.source_system, q.record_system)) AND "
        r"lower(q.raw) RLIKE concat('(^|[^a-z0-9])\\Q', s.needle, '\\E($|[^a-z0-9])')"
    )
    named = rows.join(F.broadcast(ids.unionByName(addresses).alias("s")), names, "left_semi")
    found_words = [F.regexp_extract_all(F.lower("raw"), F.lit(e), F.lit(0)) for e in _EMAILS]
    words = reduce(F.array_union, found_words)
    spoken = rows.withColumn("digest", F.explode(F.transform(words, address_digest)))
    spoken = spoken.join(F.broadcast(emails.select("digest")), on="digest", how="left_semi")
    theirs = rows.where("_id IS NOT NULL")
    # A row of another record that mentions the person, without `_id`, still says of whom it is.
    hits = (
        reduce(DataFrame.unionByName, (named, spoken.drop("digest"), theirs))
        .select("quarantine_id", row_digest(F.col("raw")).alias("digest"), "_id")
        .distinct()
        .localCheckpoint()
    )
    touched = hits.count()
    if touched:
        day = F.lit(requested_on).alias("erased_on")
        shown = hits.where("digest IS NOT NULL")
        stones = shown.select(F.col("digest").alias("record_sha256"), day).distinct()
        lake.merge(TOMBSTONE, stones)
        target = lake.storage.delta(QUARANTINE).alias("t")
        target.merge(
            F.broadcast(hits.alias("s")), "t.quarantine_id = s.quarantine_id"
        ).whenMatchedUpdate(
            set={"raw": "NULL", "source_record_id": "IF(s._id IS NULL, t.source_record_id, NULL)"}
        ).execute()
        purge_deleted(lake, table)
    return touched


def _erase_from(lake: Lakehouse, table: Table, found: DataFrame) -> int:
    rows = sum(_erase_matches(lake, table, found, key) for key in _matching_keys(table))
    # Files may still hold rows of hers that another stage has deleted.
    if rows or table.deletion_vectors:
        purge_deleted(lake, table)
    return rows


def _erase_matches(lake: Lakehouse, table: Table, found: DataFrame, key: dict[str, str]) -> int:
    condition = " AND ".join(f"t.`{ours}` = s.`{theirs}`" for ours, theirs in key.items())
    source = found.select(*key.values()).distinct()
    matches = lake.read(table).alias("t").join(source.alias("s"), F.expr(condition), "left_semi")
    rows = matches.count()
    if not rows:
        return 0
    merge = (
        lake.storage.delta(table.name).alias("t").merge(F.broadcast(source).alias("s"), condition)
    )
    if table.name in _ANONYMISED:
        sale = _SALE[table.name]
        merge = merge.whenMatchedUpdate(sale, {_ANONYMISED[table.name]: "NULL"}).whenMatchedDelete()
    elif freed := {ours: f"t.`{_FREED[ours]}`" for ours in key if ours in _FREED}:
        merge = merge.whenMatchedUpdate(set=dict(freed))
    else:
        merge = merge.whenMatchedDelete()
    merge.execute()
    return rows


def _matching_keys(table: Table) -> list[dict[str, str]]:
    """Ways in which a table names records or persons: its columns, and theirs of the erased records."""
    names = set(table.names)
    if {"source_system", "source_record_id"} <= names:
        return [{"source_system": "source_system", "source_record_id": "source_record_id"}]
    singles = {
        "unique_id_l": "unique_id",
        "unique_id_r": "unique_id",
        "unique_id": "unique_id",
        "component": "unique_id",
        "person_id": "person_id",
        "retired_id": "person_id",
        "other_person_id": "person_id",
    }
    return [{ours: theirs} for ours, theirs in singles.items() if ours in names]
