"""Statements of consent that could not be read, and addresses of records that could not.

Until they can be read, such a statement is a refusal, and nobody is sent to an address whose record has refused it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from clvspark.privacy.addresses import WRITTEN, address_digest
from clvspark.privacy.consent import ANY, CHANNELS, MARKETING, REFUSALS, is_about, refused_channel
from clvspark.privacy.identifiers import address_key
from clvspark.sources.compare_rows import in_natural_order, is_copy, is_lost
from clvspark.sources.tables import (
    CONSENT,
    CUSTOMER_RECORD,
    EVENT,
    NAMES_RECORD,
    UNREAD_ADDRESS,
    UNREAD_CONSENT,
)

_RECORD = CUSTOMER_RECORD.key


def list_unread(frames: Mapping[str, DataFrame], lost: DataFrame) -> DataFrame:
    """sources.unread_consent, of the judged frames of all targets and the statements `lost` with rows of others.

    A row in quarantine that names a record is one, be it a statement of consent or an event that is a refusal, unless
    it says yes, speaks of another purpose than marketing, or a newer good row has its key. What can be read of it
    counts: its channel and its time; a time that cannot be read is NULL.
    """
    said = F.col("channel").isin(ANY, *CHANNELS)
    channel = F.when(said, F.col("channel")).otherwise(ANY)
    no_yes = ~F.col("val").eqNullSafe(F.lit("y")) & F.coalesce(is_about(MARKETING), F.lit(True))
    every = frames["consent"].unionByName(lost)
    statements = _unread(every.where(no_yes), every, CONSENT.key, "recorded_at")
    # A refusal in whose place another event stands is one all the same: ids of messages are those of all that followed.
    refusals = frames["event"].where(F.col("event_type").isin(*REFUSALS))
    events = _unread(
        refusals.where(~is_copy()),
        refusals,
        [*EVENT.key, *_RECORD],
        "occurred_at",
        displaced=True,
    )
    parts = [
        statements.select(*_RECORD, channel.alias("channel"), F.col("recorded_at").alias("at")),
        events.select(
            *_RECORD, refused_channel().alias("channel"), F.col("occurred_at").alias("at")
        ),
    ]
    return (
        reduce(DataFrame.unionByName, parts)
        .groupBy(*_RECORD, "channel")
        .agg(
            F.when(F.count_if(F.col("at").isNull()) == 0, F.max("at")).alias("recorded_at"),
            F.count(F.lit(1)).cast("int").alias("rows"),
        )
        .select(*UNREAD_CONSENT.names)
    )


def list_addresses(records: DataFrame) -> DataFrame:
    """sources.unread_address, of judged customer records, those that were lost with rows of others among them."""
    lost = records.where(is_lost() & ~F.col("_erased")).where(NAMES_RECORD)
    pairs = [
        F.struct(
            F.lit(identifier).alias("identifier"),
            address_key(identifier, F.col(column)).alias("entry"),
        )
        for identifier, columns in WRITTEN.items()
        for column in columns
    ]
    told = lost.select(*_RECORD, F.inline(F.array(*pairs))).where("entry <> ''")
    digest = address_digest(F.col("entry")).alias("address_sha256")
    return told.select(*_RECORD, "identifier", digest).select(*UNREAD_ADDRESS.names).distinct()


def _unread(
    rows: DataFrame, every: DataFrame, key: Sequence[str], time: str, *, displaced: bool = False
) -> DataFrame:
    """Bad rows that name a record, but for those of a `key` that a newer good row has.

    It is newer by its time, then by its file; where the bad row has no time, by its file alone. Rows in whose place
    another one stands are bad if they are `displaced`.
    """
    is_bad = F.size("_reasons") > 0 if displaced else is_lost()
    named = rows.where(is_bad & ~F.col("_erased")).where(NAMES_RECORD)
    file = in_natural_order(F.col("_file"))
    age = F.struct(F.col(time).alias("time"), file.alias("file"))
    good = every.where(F.size("_reasons") == 0)
    newest = good.groupBy(*key).agg(F.max(file).alias("_last_file"), F.max(age).alias("_last_age"))
    is_older = F.when(F.col(time).isNull(), file < F.col("_last_file")).otherwise(
        age < F.col("_last_age")
    )
    joined = named.join(newest, on=list(key), how="left")
    return joined.where(~F.coalesce(is_older, F.lit(False)))


def count_by_system(consent: DataFrame, unread: DataFrame) -> DataFrame:
    """``source_system, rows, other_purpose, unread, records``: statements by system, and those that nobody reads.

    In: sources.consent; sources.unread_consent, whose rows are of so many records.
    """
    said = consent.groupBy("source_system").agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_if(~is_about(MARKETING)).alias("other_purpose"),
    )
    lost = unread.groupBy("source_system").agg(
        F.sum("rows").alias("unread"), F.count_distinct("source_record_id").alias("records")
    )
    return said.join(lost, on="source_system", how="full_outer")


def warn_of_unread(found: list[Row]) -> list[str]:
    """A sentence for each system with statements that could not be read, or that are about something else.

    In: rows of `count_by_system`.
    """
    warnings = []
    for row in sorted(found, key=lambda row: row["source_system"]):
        if row["unread"]:
            warnings.append(
                f"{CONSENT.name}: {row['unread']:,} statements of {row['records']:,} records of the system "
                f"{row['source_system']} could not be read. Until they can, they count as refusals: these records are "
                "on no list. Next step: look at such rows in sources.quarantine, correct the mapping of the file, e.g. "
                "by a 'map', or the file itself, then run again."
            )
        if row["other_purpose"]:
            warnings.append(
                f"{CONSENT.name}: {row['other_purpose']:,} of {row['rows']:,} statements of the system "
                f"{row['source_system']} have another purpose than '{MARKETING}', which is the only one that audiences "
                "and lists heed. Next step: none, if these are about something else; else map their 'purpose'."
            )
    return warnings
