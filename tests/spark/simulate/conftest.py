"""One small demo for all tests that only read it."""

from types import SimpleNamespace

import pytest
from pyspark.sql import SparkSession

from clvspark.simulate import simulate_demo

CUSTOMERS = 300


@pytest.fixture(scope="session")
def demo(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Return path, summary and size of the demo of the first 300 CDNOW customers."""
    path = tmp_path_factory.mktemp("simulate") / "demo"
    summary = simulate_demo(spark, path, seed=7, customers=CUSTOMERS)
    return SimpleNamespace(path=path, summary=summary, customers=CUSTOMERS)
