"""Users' own tables: made by SQL or by a function, without personal data, and read by any reader of Delta."""

from __future__ import annotations

import sys
from datetime import date

import duckdb
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.history.tables import ORDER
from clvspark.identity.tables import PERSON
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError
from clvspark.reporting.own_tables import OwnTable, build_own_table
from clvspark.reporting.tables import DIM_CHANNEL

APRIL = date(2026, 4, 1)
COLUMNS = [
    {"name": "as_of_date", "type": "date", "key": True},
    {"name": "channel", "type": "string", "key": True, "references": "dim_channel"},
    {"name": "persons", "type": "bigint", "required": True},
]
SQL = """
SELECT :as_of AS as_of_date, channel, count(DISTINCT person_id) AS persons
FROM history.order WHERE to_date(ordered_at) < :as_of GROUP BY channel
"""


def own(**changes: object) -> OwnTable:
    given = {
        "name": "fact_channel",
        "comment": "Channels.",
        "columns": COLUMNS,
        "persons": "persons",
    }
    return OwnTable.model_validate({**given, **(changes or {"sql": SQL})})


def orders(spark: SparkSession) -> DataFrame:
    rows = [
        ("1", "ann", "2026-01-10", "web"),
        ("2", "bob", "2026-02-10", "web"),
        ("3", "cat", "2026-04-01", "web"),
    ]
    return ORDER.rows(
        spark,
        [{"order_id": n, "person_id": p, "ordered_at": day, "channel": c} for n, p, day, c in rows],
    )


def count_persons(read, as_of: date) -> DataFrame:
    """An own function, as users write them."""
    known = read("history.order").where(F.to_date("ordered_at") < F.lit(as_of))
    counted = known.groupBy("channel").agg(F.countDistinct("person_id").alias("persons"))
    return counted.withColumn("as_of_date", F.lit(as_of))


def test_a_select_makes_the_rows_of_the_contract(spark: SparkSession) -> None:
    found = build_own_table(own(), {"history.order": orders(spark)}.__getitem__, as_of=APRIL)
    assert own().contract.conform(found).collect() == [(APRIL, "web", 2)]
    assert spark.sql("SHOW VIEWS LIKE 'own_*'").collect() == []


def test_a_function_makes_the_same_rows(spark: SparkSession, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "my_reports", sys.modules[__name__])
    made = own(function=f"my_reports:{count_persons.__name__}", reads=["history.order"])
    found = build_own_table(made, {"history.order": orders(spark)}.__getitem__, as_of=APRIL)
    assert found.collect() == [(APRIL, "web", 2)]
    hidden = own(function="my_reports:count_persons")
    with pytest.raises(ConfigError, match="add it to 'reads'"):
        build_own_table(hidden, {"history.order": orders(spark)}.__getitem__, as_of=APRIL)
    gone = own(function="no_reports:count_persons")
    with pytest.raises(ConfigError, match="put it on PYTHONPATH"):
        build_own_table(gone, {}.__getitem__, as_of=APRIL)


def test_a_column_that_is_missing_is_named(spark: SparkSession) -> None:
    made = own(sql="SELECT :as_of AS as_of_date, channel FROM history.order")
    with pytest.raises(ConfigError, match="fact_channel has no column persons"):
        build_own_table(made, {"history.order": orders(spark)}.__getitem__, as_of=APRIL)


def test_the_golden_record_has_columns_that_own_tables_do_not_see() -> None:
    assert {c.name for c in PERSON.columns if c.pii}


def test_the_star_schema_is_read_without_spark(lake: Lakehouse) -> None:
    with lake.writing("test"):
        rows = DIM_CHANNEL.rows(lake.spark, [{"channel": "web"}, {"channel": "shop"}])
        lake.overwrite(DIM_CHANNEL, rows)
    place = f"{lake.config.root}/reporting/dim_channel"
    found = DeltaTable(place).to_pyarrow_table()
    assert sorted(found.column("channel").to_pylist()) == ["shop", "web"]
    assert duckdb.sql("SELECT count(*) FROM found").fetchone() == (2,)
