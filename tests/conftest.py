"""What all tests share: one small Spark session a worker, and a fresh lakehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from clvspark.lakehouse import Lakehouse

# A first Spark job of a worker takes seconds, whatever the example: only its result is judged.
settings.register_profile(
    "clvspark",
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("clvspark")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test below tests/spark."""
    below = Path(__file__).parent / "spark"
    for item in items:
        if below in item.path.parents:
            item.add_marker(pytest.mark.spark)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One session a worker: one core and one shuffle partition, as the tables here are tiny."""
    from support.jvm import TINY_SPARK

    from clvspark.lakehouse import SparkConfig, build_session

    warehouse = tmp_path_factory.mktemp("warehouse")
    config = SparkConfig(
        master="local[1]",
        driver_memory="1500m",
        shuffle_partitions=1,
        conf={**TINY_SPARK, "spark.sql.warehouse.dir": str(warehouse)},
    )
    session = build_session(config, app_name="clvspark-tests")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def open_lake(spark: SparkSession) -> Callable[[Path], Lakehouse]:
    """Opens the lakehouse in a folder, for fixtures of a whole module."""
    from clvspark.catalogue import TABLES
    from clvspark.lakehouse import Lakehouse, LakehouseConfig

    return lambda folder: Lakehouse(spark, LakehouseConfig(root=str(folder / "lakehouse")), TABLES)


@pytest.fixture
def lake(open_lake: Callable[[Path], Lakehouse], tmp_path: Path) -> Lakehouse:
    """An empty lakehouse in path mode."""
    return open_lake(tmp_path)
