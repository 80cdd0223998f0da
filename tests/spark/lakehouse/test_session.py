"""What every session has, whatever the configuration says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pyspark.sql import SparkSession

from clvspark.audiences.tables import DECILE
from clvspark.lakehouse import Lakehouse, StrictModel, partitions
from clvspark.lakehouse.fixed_conf import FIXED
from clvspark.lakehouse.partitions import LEAST, SHUFFLE_PARTITIONS, keep_few, let_go
from clvspark.sources.tables import PRODUCT


def test_a_session_has_the_settings_that_clvspark_depends_on(spark: SparkSession) -> None:
    assert {key: spark.conf.get(key) for key in FIXED} == FIXED


def test_classes_that_columns_are_made_with_are_looked_up_once(spark: SparkSession) -> None:
    jvm = spark._jvm
    assert jvm.functions is getattr(jvm, "org.apache.spark.sql.functions")
    assert jvm.functions.col is jvm.functions.col
    assert jvm.PythonUtils.toSeq is jvm.PythonUtils.toSeq


@pytest.fixture
def see(lake: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], str]]:
    """Shuffle partitions of a stage that reads a table of so many rows, ten of which are one partition."""
    monkeypatch.setattr(partitions, "_ROWS", 10)
    spark = lake.spark

    def look(rows: int) -> str:
        products = [{"product_id": f"sku-{n}"} for n in range(rows)]
        lake.overwrite(PRODUCT, PRODUCT.rows(spark, products))
        lake.log.forget_everything()
        with lake.run("count", as_of=None, config=StrictModel(), reads=[PRODUCT], writes=[]):
            return str(spark.conf.get(SHUFFLE_PARTITIONS))

    yield look
    let_go(spark)
    spark.conf.unset(LEAST)
    spark.conf.set(SHUFFLE_PARTITIONS, "1")


def test_shuffles_of_a_stage_fit_the_largest_table_that_it_reads(
    spark: SparkSession, see: Callable[[int], str]
) -> None:
    spark.conf.set(LEAST, "2")
    assert [see(10), see(31), see(5)] == ["2", "4", "2"]


def test_a_number_of_the_configuration_stays(see: Callable[[int], str]) -> None:
    assert see(31) == "1"


def test_a_stream_shuffles_little_whatever_is_read(
    spark: SparkSession, see: Callable[[int], str]
) -> None:
    spark.conf.set(LEAST, "2")
    keep_few(spark)
    assert see(31) == "2"
    let_go(spark)
    assert see(31) == "4"


@pytest.mark.usefixtures("see")
def test_dates_that_a_table_keeps_are_no_rows_of_a_stage(lake: Lakehouse) -> None:
    lake.spark.conf.set(LEAST, "2")
    decile = {"metric": "clv", "as_of_date": "2026-04-01", "value": 1, "rank": 1, "decile": 1}
    rows = [{**decile, "person_id": f"p{n}"} for n in range(31)]
    lake.overwrite(DECILE, DECILE.rows(lake.spark, rows))
    with lake.run("count", as_of=None, config=StrictModel(), reads=[DECILE], writes=[]):
        assert lake.spark.conf.get(SHUFFLE_PARTITIONS) == "2"
