"""What a micro-batch brings: landing files read and judged as a batch does, and held against what is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import cast

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.lakehouse import Lakehouse, Table
from clvspark.lakehouse.compare import content_of, keep_first_values
from clvspark.lakehouse.side_by_side import keep_all
from clvspark.lakehouse.subsets import rows_among, rows_beside
from clvspark.live.kept import id_hash
from clvspark.live.writes import Change, Write, verify_changes
from clvspark.sources.arrival import HAPPENED_AT, date_arrivals
from clvspark.sources.compare_rows import COPY, DUPLICATE
from clvspark.sources.costs import date_costs
from clvspark.sources.intake import Drop, Judged, judge_rows, map_drops
from clvspark.sources.quarantine import build_quarantine, refuse_rows
from clvspark.sources.tables import (
    CONSENT,
    EVENT,
    EXCHANGE_RATE,
    NEWEST,
    PRODUCT,
    QUARANTINE,
    TARGETS,
    UNREAD_ADDRESS,
    UNREAD_CONSENT,
)
from clvspark.sources.unread_consent import list_addresses, list_unread

# A refusal may be any of them, also one that nobody can read.
_ALWAYS = ("event", "consent", "customer_record")
_FATE = "_fate"


@dataclass(frozen=True)
class Taken:
    """What a micro-batch brings, in memory.

    Parameters
    ----------
    events : all that could be read, as sources.event, known or not.
    news : those that are not known.
    changed : those that are known as another one, of the same type.
    others : rows of the other tables `sources.*` that are to be inserted or updated.
    writes : what is to be written, quarantine first.
    files : mapping and name of the files, as sources.file.
    """

    events: DataFrame
    news: DataFrame
    changed: DataFrame | None
    others: dict[Table, DataFrame]
    writes: list[Write]
    files: list[tuple[str, str]]
    counts: dict[str, int]


def take_files(
    lake: Lakehouse,
    drops: Sequence[Drop],
    known_ids: DataFrame,
    warn: Callable[[str], None],
    *,
    as_of: date,
) -> Taken:
    """Read, map and judge files; nothing is written. In: `id_hash` of all events of sources.event.

    A day that was opened for `as_of` has told of all days before it: what happened on one of them is late.

    An event with an id that is known, whenever that one came, is a copy and goes into quarantine, or says what has
    changed and takes the place of the other, as the one of the later file does in a batch.
    """
    mapped, _ = map_drops(lake, drops)
    brought = {output.to for drop in drops for output in drop.spec.outputs}
    rates = lake.read_or_empty(EXCHANGE_RATE) if mapped.names_currency else None
    judged = judge_rows(lake, mapped, warn, names=sorted({*brought, *_ALWAYS}), quoted=rates)
    events = date_arrivals(judged.rows[EVENT], EVENT, published=as_of, as_of=as_of)
    known = _find_known(lake, events, known_ids)
    frames = judged.frames
    changed = None
    news = events
    if known is not None:
        fates = _tell_fates(events, known)
        refused = frames["event"].join(F.broadcast(fates), on="event_id", how="left")
        is_good = (F.size("_reasons") == 0) & F.col(_FATE).isin(COPY, DUPLICATE)
        again = refuse_rows(refused, EVENT, is_good, F.col(_FATE)).drop(_FATE)
        frames = {**frames, "event": again.localCheckpoint()}
        news = rows_beside(events, fates, "event_id").localCheckpoint(eager=False)
        changed = rows_among(events, fates.where(F.col(_FATE) == "changed"), "event_id")
        changed = keep_first_values(changed, known, EVENT)
        changed = changed.localCheckpoint(eager=False)
    # Of what no file brings there is nothing to plan.
    bad = [
        build_quarantine(frames[name].where("NOT _erased"), TARGETS[name])
        for name in sorted({*brought, "event"})
    ]
    others = {
        TARGETS[name]: _keep_newer(lake, judged, TARGETS[name], as_of)
        for name in sorted(brought - {"event"})
    }
    if brought & {"consent", "customer_record"}:
        others |= _list_unread(lake, judged)
    refused, *kept = keep_all(
        QUARANTINE.conform(reduce(DataFrame.unionByName, bad)),
        *(table.conform(df) for table, df in others.items()),
        eager=False,
    )
    (bad_rows, happened, *more), (read,) = verify_changes(
        [
            Change(QUARANTINE, refused),
            Change(EVENT, EVENT.conform(news), None if changed is None else EVENT.conform(changed)),
            *(Change(table, altered=df) for table, df in zip(others, kept, strict=True)),
        ],
        events,
    )
    present = [write for write in more if write.rows]
    return Taken(
        events,
        news,
        changed if happened.altered else None,
        {write.change.table: cast("DataFrame", write.change.altered) for write in present},
        [bad_rows, happened, *present],
        [(drop.name, name) for drop in drops for name in drop.names(lake)],
        {
            "events": happened.added,
            "repeated": read - happened.added,
            "quarantined": bad_rows.added,
        },
    )


def _find_known(lake: Lakehouse, events: DataFrame, known_ids: DataFrame) -> DataFrame | None:
    """Rows of sources.event with the id of one of the events, in memory; None where there are none."""
    hashed = events.select("event_id", id_hash())
    # Most events are new, which hashes in memory tell; of the others the table is asked.
    maybe = rows_among(known_ids, hashed, "_id_hash").distinct().localCheckpoint()
    if maybe.isEmpty():
        return None
    ids = rows_among(hashed, maybe, "_id_hash")
    known = rows_among(lake.read(EVENT), ids, "event_id").localCheckpoint()
    return None if known.isEmpty() else known


def _tell_fates(events: DataFrame, known: DataFrame) -> DataFrame:
    """``event_id`` of events that are known, and what becomes of each: copy, changed or duplicate_key."""
    was = known.select(
        "event_id", F.col("event_type").alias("_type"), content_of(EVENT).alias("_was")
    )
    fate = (
        F.when(content_of(EVENT) == F.col("_was"), COPY)
        .when(F.col("event_type") == F.col("_type"), "changed")
        .otherwise(DUPLICATE)
    )
    both = events.join(was, on="event_id", how="inner")
    return both.select("event_id", fate.alias(_FATE)).localCheckpoint()


def _keep_newer(lake: Lakehouse, judged: Judged, table: Table, as_of: date) -> DataFrame:
    """Good rows of a target that are newer than what is stored under their key, or that are new.

    It is newer by what it says of itself; of two that say the same it is the one that comes later. A derived row never
    takes the place of another one.
    """
    frame = judged.frames[table.name.split(".")[1]]
    good = frame.where((F.size("_reasons") == 0) & ~F.col("_erased"))
    good = good.select(*table.names, "_derived")
    if table is PRODUCT:
        known = lake.read_or_empty(PRODUCT)
        costed = date_costs(good, frame, known, published=as_of, as_of=as_of)
        good = costed.withColumn("_derived", F.lit(False))
    if table in HAPPENED_AT:
        good = date_arrivals(good, table, published=as_of, as_of=as_of)
    if not lake.exists(table):
        return good.select(*table.names)
    said = [F.expr(sql) for sql in NEWEST.get(table.name, ())]
    age = F.struct(F.lit(0), *said)
    stored = rows_among(lake.read(table), good, *table.key)
    was = stored.select(*table.key, age.alias("_stored"))
    joined = good.join(F.broadcast(was), on=table.key, how="left")
    is_new = F.col("_stored").isNull()
    is_newer = ~F.col("_derived") & (age >= F.col("_stored"))
    return keep_first_values(joined.where(is_new | is_newer), stored, table)


def _list_unread(lake: Lakehouse, judged: Judged) -> dict[Table, DataFrame]:
    """Refusals that nobody could read, and addresses, that are not known yet."""
    records = judged.frames["customer_record"].unionByName(judged.lost["customer_record"])
    found = {
        UNREAD_CONSENT: list_unread(judged.frames, judged.lost[CONSENT.name.split(".")[1]]),
        UNREAD_ADDRESS: list_addresses(records),
    }
    return {
        table: df.join(lake.read_or_empty(table).select(*table.key), on=table.key, how="left_anti")
        for table, df in found.items()
    }
