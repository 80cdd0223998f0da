"""Ingest: landing files -> `sources.*`."""

from __future__ import annotations

from datetime import date
from functools import partial, reduce

from pyspark.sql import DataFrame, Row

from clvspark.lakehouse import Lakehouse, Run, RunReport, Table
from clvspark.lakehouse.errors import MissingInputError
from clvspark.lakehouse.files import digest_files, size_of_folder
from clvspark.lakehouse.partitions import spread
from clvspark.lakehouse.side_by_side import all_of
from clvspark.sources.arrival import HAPPENED_AT, date_arrivals
from clvspark.sources.config import SourcesConfig
from clvspark.sources.costs import date_costs
from clvspark.sources.intake import Drop, judge_rows, map_drops
from clvspark.sources.landing import find_files, resolve_landing
from clvspark.sources.quarantine import build_quarantine
from clvspark.sources.reconcile import reconcile
from clvspark.sources.strangers import count_strangers, warn_of_strangers
from clvspark.sources.tables import (
    CONSENT,
    CUSTOMER_RECORD,
    EVENT,
    FILE,
    PRODUCT,
    QUARANTINE,
    SURVEY_RESPONSE,
    TABLES,
    TARGETS,
    UNREAD_ADDRESS,
    UNREAD_CONSENT,
)
from clvspark.sources.taken_files import refuse_removed
from clvspark.sources.unread_consent import (
    count_by_system,
    list_addresses,
    list_unread,
    warn_of_unread,
)

STAGE = "ingest"
# Of landing files, by which the number of their rows is guessed.
_BYTES_A_ROW, _BYTES_A_PACKED_ROW = 100, 25
_TEXTS = frozenset({"csv", "jsonl"})
_PACKED = (".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate")


def run(lake: Lakehouse, config: SourcesConfig, as_of: date | None = None) -> RunReport:
    """Bring sources.* up to the landing files; every event is kept, late ones with the date they are known from.

    Raises MissingInputError or ConfigError before anything is written when a file or a column is missing.
    """
    drops = _find_drops(lake, config)
    digests = {drop.name: digest_files(lake.spark, drop.files) for drop in drops}
    with lake.run(STAGE, as_of=None, config=config, reads=(), writes=TABLES, also=digests) as run:
        if not run.is_current:
            taken = [(drop.name, name) for drop in drops for name in drop.names(lake)]
            if config.removed_files == "refuse":
                refuse_removed(map(tuple, lake.read_or_empty(FILE).collect()), taken)
            _ingest(run, lake, drops, as_of)
            run.overwrite(FILE, lake.spark.createDataFrame(taken, FILE.schema))
    return run.report


def _find_drops(lake: Lakehouse, config: SourcesConfig) -> list[Drop]:
    """Files of every kind; MissingInputError names all kinds of which there are none."""
    landing = resolve_landing(config.landing)
    drops = []
    for system in config.systems:
        for file in system.files:
            found = find_files(lake.spark, landing, file)
            shown = [one for one in found if not one.is_hidden]
            # What Spark itself leaves beside its files (_SUCCESS, _delta_log) is nobody's data.
            hidden = [one for one in found if one.is_hidden and one.size and not one.is_folder]
            # A till without sales may drop a text file without even a header; where all are so, reading one tells it.
            empty = [one for one in shown if not one.size and file.format in {"csv", "jsonl"}]
            nothing = set(empty)
            filled = [one for one in shown if one not in nothing]
            drops.append(Drop(landing, system.system, file, filled or shown, hidden, empty))
    missing = [f"{drop.spec.path} ({drop.system})" for drop in drops if not drop.files]
    if missing:
        raise MissingInputError(
            f"No landing file in {landing} matches {', '.join(missing)}. Put the files there, or correct "
            "'sources.landing' or the 'path' of the system."
        )
    return drops


def _guess_rows(lake: Lakehouse, drop: Drop) -> int:
    rows = 0
    for file in drop.files:
        is_plain = drop.spec.format in _TEXTS and not file.name.endswith(_PACKED)
        size = size_of_folder(lake.spark, file.path) if file.is_folder else file.size
        rows += size // (_BYTES_A_ROW if is_plain else _BYTES_A_PACKED_ROW)
    return rows


def _ingest(run: Run, lake: Lakehouse, drops: list[Drop], as_of: date | None) -> None:
    run.step("reading landing files")
    spread(lake.spark, sum(_guess_rows(lake, drop) for drop in drops))
    mapped, received = map_drops(lake, drops)
    judged, landed = all_of(
        lambda: judge_rows(lake, mapped, run.warn), lambda: _collect_all(received)
    )
    frames, tables, lost = judged.frames, judged.rows, judged.lost
    _warn_of_files(run, drops)
    if landed:
        reconcile(run, landed, frames)
    records = frames["customer_record"].unionByName(lost["customer_record"])
    bad = [build_quarantine(df.where("NOT _erased"), TARGETS[name]) for name, df in frames.items()]
    derived = {
        UNREAD_CONSENT: list_unread(frames, lost["consent"]),
        UNREAD_ADDRESS: list_addresses(records),
        QUARANTINE: reduce(DataFrame.unionByName, bad),
    }
    *made, strangers = all_of(
        *(df.localCheckpoint for df in derived.values()), _count_strangers(tables).collect
    )
    kept = dict(zip(derived, made, strict=True))
    published = lake.log.latest_date_of(EVENT)
    for table in HAPPENED_AT:
        tables[table] = date_arrivals(tables[table], table, published=published, as_of=as_of)
    tables[PRODUCT] = date_costs(
        tables[PRODUCT],
        frames["product"],
        lake.read_or_empty(PRODUCT),
        published=lake.log.latest_date_of(PRODUCT),
        as_of=as_of,
    )
    doubts = count_by_system(tables[CONSENT], kept[UNREAD_CONSENT]).collect()
    for warning in [*warn_of_strangers(strangers), *warn_of_unread(doubts)]:
        run.warn(warning)
    # Most rows are those of the last ingest: who follows a change feed is told of the others only.
    renewed = {table: tables.pop(table) for table in list(tables) if table.change_feed}
    all_of(
        lambda: run.overwrite_all({**tables, **kept}, cached=True),
        *(partial(run.renew, table, df) for table, df in renewed.items()),
    )


def _collect_all(frames: list[DataFrame]) -> list[Row]:
    return reduce(DataFrame.unionByName, frames).collect() if frames else []


def _warn_of_files(run: Run, drops: list[Drop]) -> None:
    for drop in drops:
        if drop.hidden:
            run.warn(
                f"{drop.name}: {len(drop.hidden):,} files are not read, as names that begin "
                f"with '_' or '.' are hidden, e.g. {drop.hidden[0].name}. Next step: rename them, or let 'path' not "
                "match them."
            )
        if drop.empty:
            run.warn(
                f"{drop.name}: {len(drop.empty):,} files have 0 bytes, e.g. {drop.empty[0].name}. Next step: none, if "
                "nothing happened there; else ask the sender for them again."
            )


def _count_strangers(tables: dict[Table, DataFrame]) -> DataFrame:
    naming = {table.name: tables[table] for table in (EVENT, CONSENT, SURVEY_RESPONSE)}
    return count_strangers(naming, tables[CUSTOMER_RECORD])
