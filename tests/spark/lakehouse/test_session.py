"""What every session has, whatever the configuration says."""

from __future__ import annotations

from pyspark.sql import SparkSession

from clvspark.lakehouse.fixed_conf import FIXED


def test_a_session_has_the_settings_that_clvspark_depends_on(spark: SparkSession) -> None:
    assert {key: spark.conf.get(key) for key in FIXED} == FIXED


def test_classes_that_columns_are_made_with_are_looked_up_once(spark: SparkSession) -> None:
    jvm = spark._jvm
    assert jvm.functions is getattr(jvm, "org.apache.spark.sql.functions")
    assert jvm.functions.col is jvm.functions.col
    assert jvm.PythonUtils.toSeq is jvm.PythonUtils.toSeq
