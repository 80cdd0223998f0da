"""What is told apart when files are looked at without being read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from clvspark.lakehouse.files import digest_files, list_files, size_of_folder


def digest(spark: SparkSession, folder: Path) -> str:
    return digest_files(spark, list_files(spark, str(folder)))


@pytest.fixture
def folder(spark: SparkSession, tmp_path: Path) -> Path:
    """A partitioned Parquet folder whose own modification time is kept."""
    spark.range(3).selectExpr("id", "'2025-12' AS month").write.partitionBy("month").parquet(
        f"{tmp_path}/s.parquet"
    )
    return tmp_path / "s.parquet"


def test_a_file_that_is_new_in_a_partition_changes_the_digest(
    spark: SparkSession, folder: Path
) -> None:
    part = next(folder.glob("month=2025-12/*.parquet"))
    before, times = digest(spark, folder), folder.stat()
    assert digest(spark, folder) == before

    (folder / "month=2026-01").mkdir()
    (folder / "month=2026-01/p1.parquet").write_bytes(part.read_bytes())
    os.utime(folder, ns=(times.st_atime_ns, times.st_mtime_ns))
    added = digest(spark, folder)
    (folder / "month=2026-01/p1.parquet").write_bytes(part.read_bytes() + b" ")

    assert len({before, added, digest(spark, folder)}) == 3


def test_what_spark_does_not_read_changes_nothing(spark: SparkSession, folder: Path) -> None:
    before = digest(spark, folder)
    (folder / "month=2025-12/_committed").touch()
    (folder / "month=2025-12/.p1.parquet.crc").touch()
    assert digest(spark, folder) == before


def test_a_commit_changes_the_digest_of_a_delta_table_and_housekeeping_does_not(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = tmp_path / "t"
    spark.range(1).write.format("delta").save(str(table))
    before = digest(spark, table)
    (table / "left_over.parquet").touch()
    assert digest(spark, table) == before
    spark.range(1).write.format("delta").mode("append").save(str(table))
    assert digest(spark, table) != before


def test_a_folder_is_as_large_as_what_is_below_it(spark: SparkSession, folder: Path) -> None:
    below = sum(
        file.stat().st_size
        for file in folder.rglob("*")
        if file.suffix != ".crc" and file.is_file()
    )
    assert size_of_folder(spark, str(folder)) == below
