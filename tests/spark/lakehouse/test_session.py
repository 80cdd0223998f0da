"""What every session has, whatever the configuration says."""

from __future__ import annotations

from pyspark.sql import SparkSession

from clvspark.lakehouse.fixed_conf import FIXED


def test_a_session_has_the_settings_that_clvspark_depends_on(spark: SparkSession) -> None:
    assert {key: spark.conf.get(key) for key in FIXED} == FIXED
