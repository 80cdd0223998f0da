"""The demo is quick by settings of Delta; tables that were merged into must be read under them as under any."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from clvspark.catalogue import TABLES
from clvspark.config import read_config, shipped_config
from clvspark.history.tables import PERSON_DAY
from clvspark.lakehouse import Lakehouse, LakehouseConfig

pytestmark = pytest.mark.spark
DAY = {"day": date(2026, 4, 1), "orders": 1, "refunds": 0, "interactions": 0, "net_revenue": 1}


def test_a_table_with_deletion_vectors_is_read(spark: SparkSession, tmp_path: Path) -> None:
    session = spark.newSession()
    conf = read_config(shipped_config("demo.yaml")).spark.conf
    for name, value in conf.items():
        if name.startswith("spark.databricks."):
            session.conf.set(name, value)
    lake = Lakehouse(session, LakehouseConfig(root=str(tmp_path)), TABLES)

    def days(margin: int, *persons: int) -> list[dict[str, object]]:
        return [{**DAY, "person_id": f"p{n}", "margin": margin} for n in persons]

    lake.overwrite(PERSON_DAY, PERSON_DAY.rows(session, days(1, *range(20))))
    lake.merge(PERSON_DAY, PERSON_DAY.rows(session, days(5, 3)))

    found = lake.read(PERSON_DAY).groupBy("margin").count().collect()
    assert {int(row["margin"]): row["count"] for row in found} == {1: 19, 5: 1}
