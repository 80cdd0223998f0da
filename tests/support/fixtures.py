"""Fixtures of the whole-pipeline tests: made once for all workers of a test run."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clvspark.lakehouse import RunReport
from clvspark.simulate import simulate_demo
from support.live_shop import Watch, copy_live_shop, open_live_shop
from support.shops import Shop, clvspark, make_once, open_lake, open_shop, rows_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CUSTOMERS = 300


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder that all workers of this test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(request.config, "workerinput") else own


@pytest.fixture(scope="session")
def goods(spark: SparkSession, common: Path) -> Path:
    """Landing files and truth of the first 300 CDNOW customers."""

    def simulate(folder: Path) -> None:
        simulate_demo(spark, folder / "demo", seed=7, customers=CUSTOMERS)

    return make_once(common / "goods", simulate) / "demo"


@pytest.fixture(scope="session")
def finished(common: Path, goods: Path) -> Shop:
    """A shop after one whole ``clvspark run``. Only look at it: other tests do too."""

    def run(folder: Path) -> None:
        shop = open_shop(folder / "shop", goods)
        done = clvspark("run", "--config", shop.config_file, cwd=shop.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        shop.printed.write_text(done.stdout + done.stderr, encoding="utf-8")

    return Shop(make_once(common / "finished", run) / "shop")


@pytest.fixture(scope="session")
def first_reports(spark: SparkSession, finished: Shop) -> dict[str, RunReport]:
    """What the stages of the whole run reported, by stage, from the run log."""
    lake = open_lake(spark, finished)
    metrics: dict[str, dict[str, float]] = defaultdict(dict)
    for run_id, name, value in rows_of(lake, "ops.metric", "run_id", "name", "value"):
        metrics[run_id][name] = value
    runs = rows_of(lake, "ops.run", "started_at", "run_id", "stage", "status", "seconds")
    reports = [
        RunReport(*what, metrics=metrics[run_id]) for _, run_id, *what in sorted(runs, reverse=True)
    ]
    # The first run of a stage is the last one here, and wins.
    return {report.stage: report for report in reports}


@pytest.fixture(scope="session")
def begun(spark: SparkSession, common: Path) -> Shop:
    """A shop whose day was begun by its stream. Only copy it."""

    def begin(folder: Path) -> None:
        Watch(spark, open_live_shop(folder / "shop")).start()

    return Shop(make_once(common / "begun", begin) / "shop")


@pytest.fixture
def watch(spark: SparkSession, begun: Shop, tmp_path: Path) -> Watch:
    """The stream of a copy of that shop."""
    return Watch(spark, copy_live_shop(begun, tmp_path / "shop"))
