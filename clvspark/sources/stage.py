"""Ingest: landing files -> `sources.*`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.errors import ContractError
from clvspark.sources.config import LandingFile, Output, SourcesConfig
from clvspark.sources.landing import FoundFile, digest_files, find_files, read_landing, resolve_landing
from clvspark.sources.map_rows import BOOKKEEPING, keep_first_of_key, map_rows, quarantine_repeats
from clvspark.sources.quarantine import build_quarantine
from clvspark.sources.tables import EVENT, QUARANTINE, TABLES, TARGETS

STAGE = "ingest"


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
        Drop(system.system, file, find_files(lake.spark, landing, file.path))
        for system in config.systems
        for file in system.files
    ]


def _ingest(run: Run, lake: Lakehouse, drops: list[Drop]) -> None:
    run.step("reading landing files")
    mapped: dict[str, list[DataFrame]] = defaultdict(list)
    derived: dict[str, list[DataFrame]] = defaultdict(list)
    received: list[DataFrame] = []
    for drop in drops:
        raw = read_landing(lake.spark, drop.files, drop.spec)
        for output in drop.spec.outputs:
            rows = map_rows(raw, system=drop.system, file=drop.spec, output=output)
            (derived if output.derived else mapped)[output.to].append(rows)
            if not output.derived:
                received.append(_measure_received(raw, output))
    frames = {name: _unite(lake, name, mapped[name], derived[name]).persist() for name in TARGETS}
    try:
        for name, df in frames.items():
            good = df.where(F.size("_reasons") == 0)
            run.overwrite(TARGETS[name], good.select(*TARGETS[name].names))
        bad = [build_quarantine(df, TARGETS[name]) for name, df in frames.items()]
        run.overwrite(QUARANTINE, reduce(DataFrame.unionByName, bad))
        _reconcile(run, reduce(DataFrame.unionByName, received), frames)
    finally:
        for df in frames.values():
            df.unpersist()


def _unite(lake: Lakehouse, name: str, mapped: list[DataFrame], derived: list[DataFrame]) -> DataFrame:
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
        firsts.join(brought, on=table.key, how="left_anti").withColumn("_derived", F.lit(True)).select(*rows.columns)
    )


def _measure_received(raw: DataFrame, output: Output) -> DataFrame:
    """Rows and revenue of one kind of landing file, straight from its cells."""
    rule = output.fields.get("net_revenue")
    amount = F.col(f"`{rule.from_}`").try_cast("decimal(18,2)") if rule and rule.from_ else F.lit(None)
    return raw.agg(F.count(F.lit(1)).alias("rows"), F.sum(amount.cast("decimal(18,2)")).alias("revenue"))


def _reconcile(run: Run, received: DataFrame, frames: dict[str, DataFrame]) -> None:
    """Record rows and revenue received, kept and quarantined; raise if they do not add up."""
    landed = received.agg(F.sum("rows").alias("rows"), F.sum("revenue").alias("revenue")).first()
    sums = []
    for name, df in frames.items():
        revenue = F.col("net_revenue") if "net_revenue" in TARGETS[name].names else F.lit(None)
        bad = F.size("_reasons") > 0
        counted = df.where("NOT _derived").groupBy(bad.alias("bad"))
        sums.append(
            counted.agg(F.count(F.lit(1)).alias("rows"), F.sum(revenue.cast("decimal(18,2)")).alias("revenue"))
        )
    parts = reduce(DataFrame.unionByName, sums).groupBy("bad").agg(F.sum("rows").alias("rows"), F.sum("revenue"))
    found = {row["bad"]: row for row in parts.collect()}
    rows = {bad: int(found[bad]["rows"]) if bad in found else 0 for bad in (False, True)}
    revenue = {bad: found[bad][2] or 0 if bad in found else 0 for bad in (False, True)}
    if landed["rows"] != rows[False] + rows[True] or (landed["revenue"] or 0) != revenue[False] + revenue[True]:
        raise ContractError(
            f"{EVENT.name}: {landed['rows']} landing rows with revenue {landed['revenue']} became "
            f"{rows[False]} + {rows[True]} rows with {revenue[False]} + {revenue[True]}. Report this as a fault."
        )
    run.metric("rows_received", rows[False] + rows[True])
    run.metric("rows_kept", rows[False])
    run.metric("rows_quarantined", rows[True])
    run.metric("revenue_received", float(landed["revenue"] or 0))
    run.metric("revenue_kept", float(revenue[False]))
    run.metric("revenue_quarantined", float(revenue[True]))
