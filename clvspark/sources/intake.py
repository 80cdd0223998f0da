"""Landing files, found, read and judged: what ingest does for all of them, and a stream for those that came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType, StructField, StructType

from clvspark.lakehouse import Lakehouse, Table
from clvspark.lakehouse.files import FoundFile, qualify
from clvspark.lakehouse.side_by_side import by_key, side_by_side
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
from clvspark.sources.config import LandingFile
from clvspark.sources.currencies import convert_amounts
from clvspark.sources.landing import read_landing
from clvspark.sources.map_rows import (
    BOOKKEEPING,
    DERIVED,
    derive_lost_rows,
    derive_rows,
    map_rows,
    name_drop,
)
from clvspark.sources.reconcile import measure_received
from clvspark.sources.tables import CONSENT, EXCHANGE_RATE, TARGETS

Warn = Callable[[str], None]


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


@dataclass(frozen=True)
class Judged:
    """Rows of landing files, judged.

    Parameters
    ----------
    frames : by target, its columns, `BOOKKEEPING`, ``_reasons``, ``_erased`` and ``_derived``.
    rows : by target, those that are neither bad nor erased.
    lost : by target, what rows in quarantine would have made of it.
    """

    frames: dict[str, DataFrame]
    rows: dict[Table, DataFrame]
    lost: dict[str, DataFrame]


def judge_rows(
    lake: Lakehouse,
    mapped: Mapped,
    warn: Warn,
    *,
    names: Collection[str] = TARGETS.keys(),
    quoted: DataFrame | None = None,
) -> Judged:
    """Judge mapped rows of the targets `names` together; runs Spark jobs.

    `quoted` are exchange rates that are known beside those of the files, as sources.exchange_rate.
    """
    tombstones = lake.read(TOMBSTONE) if lake.exists(TOMBSTONE) else None
    judged = by_key(lambda name: _judge_together(warn, lake, name, mapped, quoted), names)
    frames = by_key(lambda name: _unite(name, judged, mapped, tombstones), names)
    good = (F.size("_reasons") == 0) & ~F.col("_erased")
    rows = {
        TARGETS[name]: df.where(good).select(*TARGETS[name].names) for name, df in frames.items()
    }
    lost: dict[str, DataFrame] = {
        name: _list_lost(judged, frames[name], TARGETS[name], tombstones)
        for name in ("consent", "customer_record")
        if name in frames
    }
    return Judged(frames, rows, lost)


def map_drops(lake: Lakehouse, drops: Sequence[Drop]) -> tuple[Mapped, list[DataFrame]]:
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


def _judge_together(
    warn: Warn, lake: Lakehouse, name: str, mapped: Mapped, known: DataFrame | None
) -> DataFrame:
    """All rows of one target over all systems, with the reasons that show only between rows."""
    table = TARGETS[name]
    united = _gather(lake, table, mapped)
    if name == "event" and mapped.names_currency:
        quoted = quarantine_repeats(_gather(lake, EXCHANGE_RATE, mapped), EXCHANGE_RATE)
        rates = quoted.where(F.size("_reasons") == 0).select(*EXCHANGE_RATE.names)
        if known is not None:
            rates = rates.unionByName(known.join(rates, on=EXCHANGE_RATE.key, how="left_anti"))
        united = convert_amounts(united, rates, currency=lake.config.currency)
    if not mapped.rows[name]:
        return united
    rows = quarantine_repeats(united, table).localCheckpoint()
    if name != "event":
        return rows
    shared = find_shared_orders(rows).localCheckpoint()
    if shared.isEmpty():
        return rows
    for warning in warn_of_shared_orders(shared):
        warn(warning)
    return quarantine_shared_orders(rows, shared).localCheckpoint()


def _gather(lake: Lakehouse, table: Table, mapped: Mapped) -> DataFrame:
    """Mapped rows of one target over all systems."""
    told = [
        *(StructField(column, StringType()) for column in BOOKKEEPING),
        StructField("_reasons", ArrayType(StringType())),
    ]
    nothing = lake.spark.createDataFrame([], StructType([*table.schema.fields, *told]))
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
