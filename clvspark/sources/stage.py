"""Ingest: landing files -> `sources.*`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType

from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.errors import ContractError
from clvspark.lakehouse.files import FoundFile, digest_files
from clvspark.lakehouse.table import Table
from clvspark.privacy.tables import TOMBSTONE
from clvspark.privacy.tombstones import mark_erased
from clvspark.sources.config import LandingFile, Output, SourcesConfig
from clvspark.sources.landing import find_files, read_landing, resolve_landing
from clvspark.sources.map_rows import (
    BOOKKEEPING,
    keep_first_of_key,
    map_field,
    map_rows,
    quarantine_repeats,
)
from clvspark.sources.quarantine import build_quarantine
from clvspark.sources.tables import EVENT, QUARANTINE, TABLES, TARGETS

STAGE = "ingest"
FATES = ("kept", "quarantined", "erased")


@dataclass(frozen=True)
class Drop:
    """All landing files of one kind of one system."""

    system: str
    spec: LandingFile
    files: list[FoundFile]


def run(lake: Lakehouse, config: SourcesConfig, as_of: date | None = None) -> RunReport:
    """Bring sources.* up to the landing files; `as_of` plays no part, every event is kept.

    Raises MissingInputError or ConfigError before anything is written when a file or a column is missing.
    """
    del as_of
    drops = _find_drops(lake, config)
    digests = {f"{drop.system}:{drop.spec.path}": digest_files(drop.files) for drop in drops}
    with lake.run(STAGE, as_of=None, config=config, reads=(), writes=TABLES, files=digests) as run:
        if not run.is_current:
            _ingest(run, lake, drops)
    return run.report


def _find_drops(lake: Lakehouse, config: SourcesConfig) -> list[Drop]:
    landing = resolve_landing(config.landing)
    return [
        Drop(system.system, file, find_files(lake.spark, landing, file))
        for system in config.systems
        for file in system.files
    ]


def _ingest(run: Run, lake: Lakehouse, drops: list[Drop]) -> None:
    run.step("reading landing files")
    mapped: dict[str, list[DataFrame]] = defaultdict(list)
    derived: dict[str, list[DataFrame]] = defaultdict(list)
    received: list[DataFrame] = []
    tombstones = lake.read(TOMBSTONE) if lake.exists(TOMBSTONE) else None
    for drop in drops:
        raw = read_landing(lake.spark, drop.files, drop.spec)
        for output in drop.spec.outputs:
            rows = map_rows(raw, system=drop.system, file=drop.spec, output=output)
            (derived if output.derived else mapped)[output.to].append(rows)
            if not output.derived:
                received.append(_measure_received(raw, drop, output))
    united = {name: _unite(lake, name, mapped[name], derived[name]) for name in TARGETS}
    frames = {
        name: mark_erased(df, TARGETS[name], tombstones).localCheckpoint()
        for name, df in united.items()
    }
    _reconcile(run, reduce(DataFrame.unionByName, received), frames)
    good = (F.size("_reasons") == 0) & ~F.col("_erased")
    tables = {
        TARGETS[name]: df.where(good).select(*TARGETS[name].names) for name, df in frames.items()
    }
    run.overwrite_all(tables, cached=True)
    bad = [build_quarantine(df.where("NOT _erased"), TARGETS[name]) for name, df in frames.items()]
    run.overwrite(QUARANTINE, reduce(DataFrame.unionByName, bad), cached=True)


def _unite(
    lake: Lakehouse, name: str, mapped: list[DataFrame], derived: list[DataFrame]
) -> DataFrame:
    """All rows of one target over all systems; derived rows only where no file brings the key itself."""
    table = TARGETS[name]
    nothing = lake.spark.createDataFrame([], table.schema).select(
        "*",
        *(F.lit(None).cast("string").alias(column) for column in BOOKKEEPING[:-1]),
        F.array().cast("array<string>").alias("_reasons"),
    )
    rows = quarantine_repeats(reduce(DataFrame.unionByName, mapped, nothing), table)
    rows = rows.withColumn("_derived", F.lit(False))
    if not derived:
        return rows
    firsts = keep_first_of_key(reduce(DataFrame.unionByName, derived), table)
    brought = rows.where(F.size("_reasons") == 0).select(*table.key)
    return rows.unionByName(
        firsts.join(brought, on=table.key, how="left_anti")
        .withColumn("_derived", F.lit(True))
        .select(*rows.columns)
    )


def _measure_received(raw: DataFrame, drop: Drop, output: Output) -> DataFrame:
    """Rows and revenue of one kind of landing file, before rows are judged; one row."""
    rule = output.fields.get("net_revenue")
    money = DecimalType(18, 2)
    amount = map_field(raw, rule, money) if rule else F.lit(None)
    return raw.agg(
        F.lit(f"{drop.system}:{drop.spec.path}").alias("drop"),
        F.count(F.lit(1)).alias("rows"),
        F.sum(amount.cast(money)).alias("revenue"),
        F.count("_unknown").alias("unknown_rows"),
        F.max("_unknown").alias("unknown_names"),
    )


def _measure_kept(df: DataFrame, table: Table) -> DataFrame:
    """Rows and revenue of a mapped frame by what became of them: kept, quarantined or erased."""
    fate = (
        F.when(F.col("_erased"), "erased")
        .when(F.size("_reasons") > 0, "quarantined")
        .otherwise("kept")
    )
    revenue = F.col("net_revenue") if "net_revenue" in table.names else F.lit(None)
    counted = df.where("NOT _derived").groupBy(fate.alias("fate"))
    return counted.agg(
        F.count(F.lit(1)).alias("rows"), F.sum(revenue.cast("decimal(18,2)")).alias("revenue")
    )


def _reconcile(run: Run, received: DataFrame, frames: dict[str, DataFrame]) -> None:
    """Record rows and revenue received, kept, quarantined and erased; ContractError if they do not add up."""
    drops = received.collect()
    measured = [_measure_kept(df, TARGETS[name]) for name, df in frames.items()]
    fates = reduce(DataFrame.unionByName, measured).groupBy("fate")
    found = {
        r["fate"]: r
        for r in fates.agg(F.sum("rows").alias("rows"), F.sum("revenue").alias("revenue")).collect()
    }
    rows = {fate: int(found[fate]["rows"]) if fate in found else 0 for fate in FATES}
    revenue = {
        fate: found[fate]["revenue"] or Decimal(0) if fate in found else Decimal(0)
        for fate in FATES
    }
    landed_rows = sum(drop["rows"] for drop in drops)
    landed_revenue = sum((drop["revenue"] or Decimal(0) for drop in drops), Decimal(0))
    if landed_rows != sum(rows.values()) or landed_revenue != sum(revenue.values()):
        raise ContractError(
            f"{EVENT.name}: {landed_rows} landing rows with revenue {landed_revenue} became {rows} with {revenue}. "
            "Rows were lost or counted twice: please report this. Nothing was written."
        )
    run.metric("rows_received", landed_rows)
    run.metric("revenue_received", float(landed_revenue))
    for fate in FATES:
        run.metric(f"rows_{fate}", rows[fate])
        run.metric(f"revenue_{fate}", float(revenue[fate]))
    for drop in drops:
        if drop["unknown_rows"]:
            run.metric(
                f"unknown columns in {drop['drop']}: {drop['unknown_names']}", drop["unknown_rows"]
            )
