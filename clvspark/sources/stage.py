"""Ingest: landing files -> `sources.*`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from functools import partial, reduce

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from clvspark.lakehouse import Lakehouse, Run, RunReport, Table
from clvspark.lakehouse.errors import MissingInputError
from clvspark.lakehouse.files import FoundFile, digest_files, qualify
from clvspark.lakehouse.side_by_side import all_of, by_key, side_by_side
from clvspark.privacy.tables import TOMBSTONE
from clvspark.privacy.tombstones import mark_erased
from clvspark.sources.compare_rows import (
    find_shared_orders,
    is_copy,
    is_lost,
    is_not_meant,
    keep_newest_of_key,
    list_unreadable,
    quarantine_repeats,
    quarantine_shared_orders,
    warn_of_shared_orders,
)
from clvspark.sources.config import LandingFile, SourcesConfig
from clvspark.sources.currencies import convert_amounts
from clvspark.sources.landing import find_files, read_landing, resolve_landing
from clvspark.sources.map_rows import (
    BOOKKEEPING,
    DERIVED,
    derive_lost_rows,
    derive_rows,
    map_rows,
    name_drop,
)
from clvspark.sources.quarantine import build_quarantine
from clvspark.sources.reconcile import measure_received, reconcile
from clvspark.sources.strangers import count_strangers, warn_of_strangers
from clvspark.sources.tables import (
    CONSENT,
    CUSTOMER_RECORD,
    EVENT,
    EXCHANGE_RATE,
    FILE,
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


def _lists() -> defaultdict[str, list[DataFrame]]:
    return defaultdict(list)


@dataclass(frozen=True)
class Mapped:
    """Mapped rows by target.

    Parameters
    ----------
    rows : of outputs that are not derived; those of the first one of a file carry what is derived of them.
    alone : derived rows of files that become nothing else.
    names_currency : whether a mapping reads the currency of events.
    """

    rows: dict[str, list[DataFrame]] = field(default_factory=_lists)
    alone: dict[str, list[DataFrame]] = field(default_factory=_lists)
    names_currency: bool = False


@dataclass(frozen=True)
class Drop:
    """All landing files of one kind of one system, below the folder `landing`.

    Parameters
    ----------
    files : those that are read.
    hidden, empty : those that are not, as Spark never reads them, or as they hold nothing.
    """

    landing: str
    system: str
    spec: LandingFile
    files: list[FoundFile]
    hidden: list[FoundFile]
    empty: list[FoundFile]

    @property
    def name(self) -> str:
        """System and path."""
        return name_drop(self.system, self.spec)

    def names(self, lake: Lakehouse) -> list[str]:
        """Paths of the files below the landing folder."""
        start = qualify(lake.spark, self.landing).rstrip("/") + "/"
        return [file.path.removeprefix(start) for file in self.files]


def run(lake: Lakehouse, config: SourcesConfig, as_of: date | None = None) -> RunReport:
    """Bring sources.* up to the landing files; `as_of` plays no part, every event is kept.

    Raises MissingInputError or ConfigError before anything is written when a file or a column is missing.
    """
    del as_of
    drops = _find_drops(lake, config)
    digests = {drop.name: digest_files(lake.spark, drop.files) for drop in drops}
    with lake.run(STAGE, as_of=None, config=config, reads=(), writes=TABLES, also=digests) as run:
        if not run.is_current:
            taken = [(drop.name, name) for drop in drops for name in drop.names(lake)]
            if config.removed_files == "refuse":
                refuse_removed(map(tuple, lake.read_or_empty(FILE).collect()), taken)
            _ingest(run, lake, drops)
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


def _ingest(run: Run, lake: Lakehouse, drops: list[Drop]) -> None:
    run.step("reading landing files")
    mapped, received = _map_drops(lake, drops)
    tombstones = lake.read(TOMBSTONE) if lake.exists(TOMBSTONE) else None
    judged, landed = all_of(
        lambda: by_key(lambda name: _judge_together(run, lake, name, mapped), TARGETS),
        lambda: _collect_all(received),
    )
    frames = by_key(lambda name: _unite(name, judged, mapped, tombstones), TARGETS)
    _warn_of_files(run, drops)
    if landed:
        reconcile(run, landed, frames)
    good = (F.size("_reasons") == 0) & ~F.col("_erased")
    tables = {
        TARGETS[name]: df.where(good).select(*TARGETS[name].names) for name, df in frames.items()
    }
    lost = {
        name: _list_lost(judged, frames[name], TARGETS[name], tombstones)
        for name in ("consent", "customer_record")
    }
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


def _map_drops(lake: Lakehouse, drops: list[Drop]) -> tuple[Mapped, list[DataFrame]]:
    """Mapped rows of all drops, and what was received in each."""
    outputs = [output for drop in drops for output in drop.spec.outputs]
    names_currency = any(output.to == "event" and "currency" in output.fields for output in outputs)
    every, received = Mapped(names_currency=names_currency), []
    for mapped, measured in side_by_side(lambda drop: _map_drop(lake, drop), drops):
        for name, rows in mapped.rows.items():
            every.rows[name] += rows
        for name, rows in mapped.alone.items():
            every.alone[name] += rows
        received += measured
    return every, received


def _map_drop(lake: Lakehouse, drop: Drop) -> tuple[Mapped, list[DataFrame]]:
    system, file = drop.system, drop.spec
    raw = read_landing(lake.spark, drop.landing, drop.files, file)
    derived = [output for output in file.outputs if output.derived]
    makers = [output for output in file.outputs if not output.derived]
    mapped, received = Mapped(), []
    for output in makers:
        carried = derived if output is makers[0] else []
        rows = map_rows(raw, system=system, file=file, output=output, derived=carried)
        mapped.rows[output.to].append(rows)
        received.append(measure_received(raw, system, file, output))
    for output in derived if not makers else []:
        rows = map_rows(raw, system=system, file=file, output=output)
        mapped.alone[output.to].append(rows)
    return mapped, received


def _judge_together(run: Run, lake: Lakehouse, name: str, mapped: Mapped) -> DataFrame:
    """All rows of one target over all systems, with the reasons that show only between rows."""
    table = TARGETS[name]
    united = _gather(lake, table, mapped)
    if name == "event" and mapped.names_currency:
        quoted = quarantine_repeats(_gather(lake, EXCHANGE_RATE, mapped), EXCHANGE_RATE)
        rates = quoted.where(F.size("_reasons") == 0).select(*EXCHANGE_RATE.names)
        united = convert_amounts(united, rates, currency=lake.config.currency)
    rows = quarantine_repeats(united, table).localCheckpoint()
    if name != "event":
        return rows
    shared = find_shared_orders(rows).localCheckpoint()
    if shared.isEmpty():
        return rows
    for warning in warn_of_shared_orders(shared):
        run.warn(warning)
    return quarantine_shared_orders(rows, shared).localCheckpoint()


def _gather(lake: Lakehouse, table: Table, mapped: Mapped) -> DataFrame:
    """Mapped rows of one target over all systems."""
    nothing = lake.spark.createDataFrame([], table.schema).select(
        "*",
        *(F.lit(None).cast("string").alias(column) for column in BOOKKEEPING),
        F.array().cast("array<string>").alias("_reasons"),
    )
    return reduce(
        lambda left, right: left.unionByName(right, allowMissingColumns=True),
        mapped.rows[table.name.split(".")[1]],
        nothing,
    )


def _unite(
    name: str, judged: dict[str, DataFrame], mapped: Mapped, tombstones: DataFrame | None
) -> DataFrame:
    """Rows of one target that files bring, and derived ones where no file brings the key itself."""
    table, rows = TARGETS[name], judged[name]
    columns = [*table.names, *BOOKKEEPING, "_reasons"]
    carriers = _find_carriers(judged, table)
    derived = [*mapped.alone[name], *(derive_rows(df, table) for df in carriers)]
    united = rows.select(*columns, F.lit(False).alias("_derived"))
    if derived:
        every = reduce(DataFrame.unionByName, [df.select(*columns) for df in derived])
        every = every.localCheckpoint(eager=False)
        keys = rows.where(F.size("_reasons") == 0).select(*table.key)
        new = keep_newest_of_key(every, table).join(keys, on=table.key, how="left_anti")
        for part in (new, list_unreadable(every, table)):
            united = united.unionByName(part.select(*columns).withColumn("_derived", F.lit(True)))
    marked = mark_erased(united, table, tombstones)
    # Otherwise the rows are in memory already.
    return marked.localCheckpoint() if derived or tombstones is not None else marked


def _list_lost(
    judged: dict[str, DataFrame], rows: DataFrame, table: Table, tombstones: DataFrame | None
) -> DataFrame:
    """What rows in quarantine would have made of `table`, shaped as its `rows`: nothing is written of it."""
    # What was said with a row in whose place another one stands was said all the same.
    gone = ~is_copy() & (F.size("_reasons") > 0) if table is CONSENT else is_lost()
    lost = [derive_lost_rows(df.where(gone), table) for df in _find_carriers(judged, table)]
    every = [df.where(~is_not_meant(table)).withColumn("_derived", F.lit(True)) for df in lost]
    marked = [mark_erased(df, table, tombstones) for df in every]
    return reduce(DataFrame.unionByName, marked, rows.limit(0))


def _find_carriers(judged: dict[str, DataFrame], table: Table) -> list[DataFrame]:
    """Rows of other targets that carry what is derived of them."""
    carried = f"{DERIVED}{table.name.split('.')[1]}"
    return [df for df in judged.values() if carried in df.columns]
