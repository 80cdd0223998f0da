"""Fixtures of the whole-pipeline tests: made once for all workers of a test run."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clvspark.lakehouse import RunReport
from clvspark.simulate import simulate_demo
from support.shops import Shop, make_once, open_shop, run_pipeline

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CUSTOMERS = 300
_REPORTS = "reports.json"


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
def finished(spark: SparkSession, common: Path, goods: Path) -> Shop:
    """A shop after one whole run. Only look at it: other tests do too."""

    def run(folder: Path) -> None:
        shop = open_shop(folder / "shop", goods)
        started = time.monotonic()
        reports = [asdict(report) for report in run_pipeline(spark, shop)]
        facts = {"seconds": time.monotonic() - started, "reports": reports}
        (folder / _REPORTS).write_text(json.dumps(facts), encoding="utf-8")

    return Shop(make_once(common / "finished", run) / "shop")


@pytest.fixture(scope="session")
def first_seconds(finished: Shop) -> float:
    """How long the whole run took."""
    facts = json.loads((finished.folder.parent / _REPORTS).read_text(encoding="utf-8"))
    return float(facts["seconds"])


@pytest.fixture(scope="session")
def first_reports(finished: Shop) -> dict[str, RunReport]:
    """What the stages of the whole run reported, by stage."""
    facts = json.loads((finished.folder.parent / _REPORTS).read_text(encoding="utf-8"))
    return {report["stage"]: RunReport(**report) for report in facts["reports"]}
