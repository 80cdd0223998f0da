"""What every session has, whatever the configuration says."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from clvspark.lakehouse import Lakehouse, StrictModel, partitions
from clvspark.lakehouse.fixed_conf import FIXED
from clvspark.lakehouse.partitions import AUTOMATIC, SHUFFLE_PARTITIONS, keep_few
from clvspark.sources.tables import PRODUCT


def test_a_session_has_the_settings_that_clvspark_depends_on(spark: SparkSession) -> None:
    assert {key: spark.conf.get(key) for key in FIXED} == FIXED


def test_classes_that_columns_are_made_with_are_looked_up_once(spark: SparkSession) -> None:
    jvm = spark._jvm
    assert jvm.functions is getattr(jvm, "org.apache.spark.sql.functions")
    assert jvm.functions.col is jvm.functions.col
    assert jvm.PythonUtils.toSeq is jvm.PythonUtils.toSeq


@pytest.mark.parametrize(
    ("is_automatic", "expected"), [("true", ["1", "3"]), ("false", ["1", "1"])]
)
def test_shuffles_of_a_stage_fit_the_largest_table_that_it_reads(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch, is_automatic: str, expected: list[str]
) -> None:
    monkeypatch.setattr(partitions, "_ROWS", 10)
    spark, seen = lake.spark, []
    spark.conf.set(AUTOMATIC, is_automatic)
    try:
        for rows in (10, 21):
            products = [{"product_id": f"sku-{n}"} for n in range(rows)]
            lake.overwrite(PRODUCT, PRODUCT.rows(spark, products))
            lake.log.forget_everything()
            with lake.run("count", as_of=None, config=StrictModel(), reads=[PRODUCT], writes=[]):
                seen.append(spark.conf.get(SHUFFLE_PARTITIONS))
        keep_few(spark)
        partitions.spread(spark, 1_000)
        assert spark.conf.get(SHUFFLE_PARTITIONS) == "1", "of a stream"
    finally:
        spark.conf.set(AUTOMATIC, "false")
        spark.conf.set(SHUFFLE_PARTITIONS, "1")

    assert seen == expected
