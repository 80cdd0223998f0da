"""The two entries: the demo (real purchases) and a population of any size (known process)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import SparkSession

from clvspark.simulate.cdnow import read_cdnow, summarise_relationships
from clvspark.simulate.draws import Draws
from clvspark.simulate.drops import Progress, PurchaseSource, SimulationSummary, write_drops
from clvspark.simulate.files import replaced_folder
from clvspark.simulate.process import draw_baskets, draw_relationships
from clvspark.simulate.settings import PopulationSettings


def simulate_demo(
    spark: SparkSession,
    out: str | Path,
    *,
    seed: int = 20260401,
    customers: int | None = None,
    overwrite: bool = False,
    progress: Progress = lambda _: None,
) -> SimulationSummary:
    """Write landing/ and truth/ under `out` with the real CDNOW purchases, moved by 28 years.

    `customers` takes the first N customers only; `progress` is called with each step. Raises
    OutputExistsError if `out` holds anything and `overwrite` is false.
    """
    baskets = read_cdnow(spark, customers).localCheckpoint()
    relationships = summarise_relationships(baskets)
    count = relationships.count()
    source = PurchaseSource("demo", count, relationships, lambda _: baskets, effects_apply=False)
    settings = PopulationSettings()
    return _simulate(
        spark, Path(out), source, seed, settings, overwrite=overwrite, progress=progress
    )


def simulate_population(
    spark: SparkSession,
    out: str | Path,
    *,
    persons: int,
    seed: int = 20260401,
    settings: PopulationSettings | None = None,
    overwrite: bool = False,
    progress: Progress = lambda _: None,
) -> SimulationSummary:
    """Write landing/ and truth/ under `out` for persons who buy by a known process."""
    chosen = settings or PopulationSettings()
    source = PurchaseSource(
        "population",
        persons,
        draw_relationships(spark, persons, seed, chosen.process),
        lambda drawn: draw_baskets(drawn, seed, chosen),
        effects_apply=True,
    )
    return _simulate(spark, Path(out), source, seed, chosen, overwrite=overwrite, progress=progress)


def _simulate(
    spark: SparkSession,
    out: Path,
    source: PurchaseSource,
    seed: int,
    settings: PopulationSettings,
    *,
    overwrite: bool,
    progress: Progress,
) -> SimulationSummary:
    with _tuned(spark), replaced_folder(out.absolute(), overwrite=overwrite) as folder:
        return write_drops(spark, folder, source, Draws(seed), settings, progress)


@contextmanager
def _tuned(spark: SparkSession) -> Iterator[None]:
    """Set what the run needs and restore it after: UTC, and cheap planning of wide projections.

    Whole-stage code of such projections exceeds the 8,000 bytes of one method that HotSpot
    compiles, per-projection code is split into small methods; adaptive re-planning and plan
    texts (which print the word lists in full) cost more here than the small queries themselves.
    """
    wanted = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.maxPlanStringLength": "2000",
    }
    before = {name: str(spark.conf.get(name)) for name in wanted}
    for name, value in wanted.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)
