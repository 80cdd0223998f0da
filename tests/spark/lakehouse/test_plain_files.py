"""A table of few files is read as its files, wherever they are the rows that Delta would read, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.testing import assertDataFrameEqual

from clvspark.lakehouse import Lakehouse, plain_files
from clvspark.lakehouse.errors import DamagedFileError
from clvspark.lakehouse.plain_files import read_plain_files
from clvspark.sources.tables import PRODUCT


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "a table with 100 %"


def rows(spark: SparkSession, *numbers: int) -> DataFrame:
    return spark.createDataFrame([(n, n % 3, f"é {n}") for n in numbers], "n int, part int, name string")  # fmt: skip


def write(df: DataFrame, table: Path, *, mode: str = "append", **options: Any) -> None:
    df.coalesce(1).write.format("delta").mode(mode).options(**options).save(str(table))


def set_property(spark: SparkSession, table: Path, name: str, value: str) -> None:
    spark.sql(f"ALTER TABLE delta.`{table}` SET TBLPROPERTIES ('{name}' = '{value}')")


def test_rows_and_schema_are_those_that_delta_reads(spark: SparkSession, table: Path) -> None:
    write(rows(spark, 1, 2, 3), table)
    write(rows(spark, 4), table)
    DeltaTable.forPath(spark, str(table)).delete("n = 2")
    write(rows(spark, 5).selectExpr("*", "date'2026-04-01' AS day"), table, mergeSchema="true")

    found, delta = read_plain_files(spark, table), spark.read.format("delta").load(str(table))
    assert found is not None
    assert found.schema == delta.schema
    assertDataFrameEqual(found, delta)
    assert "Delta" not in found._jdf.queryExecution().toString()


def test_a_table_that_was_emptied_has_no_rows(spark: SparkSession, table: Path) -> None:
    write(rows(spark, 1), table)
    write(rows(spark, 1).limit(0), table, mode="overwrite")
    DeltaTable.forPath(spark, str(table)).delete()

    found = read_plain_files(spark, table)
    assert found is not None
    assert found.columns == ["n", "part", "name"]
    assert found.isEmpty()


def test_what_was_read_stays_what_it_was(lake: Lakehouse) -> None:
    def product(name: str) -> DataFrame:
        return PRODUCT.rows(lake.spark, [{"product_id": name}])

    lake.overwrite(PRODUCT, product("p1"))
    before = lake.read(PRODUCT)
    lake.overwrite(PRODUCT, product("p2"))

    assert [row.product_id for row in before.collect()] == ["p1"]
    assert [row.product_id for row in lake.read(PRODUCT).collect()] == ["p2"]
    assert [row.product_id for row in lake.read(PRODUCT, version=0).collect()] == ["p1"]


def test_rows_marked_as_deleted_are_left_to_delta(spark: SparkSession, table: Path) -> None:
    write(rows(spark, *range(9)), table)
    set_property(spark, table, "delta.enableDeletionVectors", "true")
    assert read_plain_files(spark, table) is not None, "none is marked yet"
    DeltaTable.forPath(spark, str(table)).delete("n < 3")

    assert read_plain_files(spark, table) is None


def test_columns_that_lie_in_names_of_folders_are_left_to_delta(
    spark: SparkSession, table: Path
) -> None:
    rows(spark, 1, 2).write.format("delta").partitionBy("part").save(str(table))

    assert read_plain_files(spark, table) is None


def test_columns_under_other_names_are_left_to_delta(spark: SparkSession, table: Path) -> None:
    write(rows(spark, 1), table)
    set_property(spark, table, "delta.columnMapping.mode", "name")
    spark.sql(f"ALTER TABLE delta.`{table}` RENAME COLUMN name TO title")

    assert read_plain_files(spark, table) is None


def test_what_only_newer_readers_know_is_left_to_delta(spark: SparkSession, table: Path) -> None:
    write(rows(spark, 1), table)
    set_property(spark, table, "delta.feature.typeWidening", "supported")

    assert read_plain_files(spark, table) is None


def test_files_of_another_table_are_left_to_delta(spark: SparkSession, table: Path) -> None:
    write(rows(spark, 1), table)
    clone = table.with_name("clone")
    spark.sql(f"CREATE TABLE delta.`{clone}` SHALLOW CLONE delta.`{table}`")

    assert read_plain_files(spark, clone) is None


def test_checkpoints_of_several_files_are_left_to_delta(spark: SparkSession, table: Path) -> None:
    write(rows(spark, 1), table)
    set_property(spark, table, "delta.checkpointPolicy", "v2")
    set_property(spark, table, "delta.checkpointInterval", "1")
    write(rows(spark, 2), table)
    assert list((table / "_delta_log").glob("*.checkpoint.*.*"))

    assert read_plain_files(spark, table) is None


@pytest.mark.parametrize("bound", ["_FEW_FILES", "_SHORT_LOG_BYTES"])
def test_many_files_and_a_long_log_are_left_to_delta(
    spark: SparkSession, table: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    write(rows(spark, 1), table)
    write(rows(spark, 2), table)
    monkeypatch.setattr(plain_files, bound, 1)

    assert read_plain_files(spark, table) is None


def test_a_folder_that_spark_takes_for_a_pattern_is_left_to_delta(
    spark: SparkSession, tmp_path: Path
) -> None:
    write(rows(spark, 1), tmp_path / "of{a,b}")

    assert read_plain_files(spark, tmp_path / "of{a,b}") is None


def test_a_file_that_is_gone_is_told(spark: SparkSession, table: Path) -> None:
    write(rows(spark, 1), table)
    next(table.glob("*.parquet")).unlink()

    with pytest.raises(DamagedFileError, match=r"part-0\S+ is gone.*Restore it from a copy"):
        read_plain_files(spark, table)
