"""The checks of a Spark session, in one that is sound."""

from __future__ import annotations

import pytest

from clvspark.doctor import Check, NotExamined, examine
from clvspark.doctor.spark import SparkProbes
from clvspark.lakehouse import LakehouseConfig, SparkConfig


def test_a_sound_session_passes_every_check(spark):
    probes = SparkProbes(SparkConfig(), LakehouseConfig(catalog="spark_catalog"))
    named = [
        probes.start,
        probes.run_python,
        probes.write_delta,
        probes.compare_by_splink,
        probes.see_catalog,
    ]

    found = examine([Check(p.__name__, p, "-") for p in named], begin=lambda _: None)

    assert {finding.name: finding.status for finding in found} == dict.fromkeys(
        ["start", "run_python", "write_delta", "compare_by_splink", "see_catalog"], "ok"
    )
    assert found[0].found == f"Spark {spark.version} on local[1]"


def test_a_catalog_that_is_not_there_is_told_by_its_condition(spark):
    probes = SparkProbes(SparkConfig(), LakehouseConfig(catalog="nowhere"))
    probes.start()

    (found,) = examine([Check("catalog", probes.see_catalog, "name another")], begin=lambda _: None)

    assert (found.status, found.mend) == ("missing", "name another")
    folder_mode = SparkProbes(SparkConfig(), LakehouseConfig(root="lakehouse"))
    with pytest.raises(NotExamined, match="in a folder"):
        folder_mode.see_catalog()
