"""The log of a table, read without Spark, says what Delta says."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlparse

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import DamagedFileError
from clvspark.lakehouse.table_log import is_table, newest_version, read_table_log
from clvspark.sources.tables import PRODUCT


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "table"


def append(spark: SparkSession, table: Path, *numbers: int) -> None:
    rows = spark.createDataFrame([(n, n % 3) for n in numbers], "n int, part int").coalesce(1)
    rows.write.format("delta").mode("append").save(str(table))


def agrees(spark: SparkSession, table: Path) -> bool:
    """Whether rows, files and version are those that Delta finds."""
    found, delta = read_table_log(table), DeltaTable.forPath(spark, str(table))
    df = spark.read.format("delta").load(str(table))
    version = delta.history(1).first()["version"]
    files = {Path(urlparse(name).path) for name in df.inputFiles()}
    return (found.version, found.rows, set(found.files)) == (version, df.count(), files)


def test_appends_deletes_and_overwrites(spark: SparkSession, table: Path) -> None:
    append(spark, table, 1, 2, 3)
    append(spark, table, 4, 5)
    assert (read_table_log(table).version, read_table_log(table).rows) == (1, 5)
    DeltaTable.forPath(spark, str(table)).delete("n = 2")
    assert agrees(spark, table)
    assert read_table_log(table).rows == 4
    spark.createDataFrame([(9, 0)], "n int, part int").write.format("delta").mode("overwrite").save(
        str(table)
    )
    assert agrees(spark, table)
    assert read_table_log(table).rows == 1


def test_rows_marked_in_deletion_vectors_do_not_count(spark: SparkSession, table: Path) -> None:
    append(spark, table, *range(30))
    spark.sql(
        f"ALTER TABLE delta.`{table}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
    )
    for bound in (3, 7):
        DeltaTable.forPath(spark, str(table)).delete(f"n < {bound}")
    log = "".join(path.read_text() for path in (table / "_delta_log").glob("*.json"))

    assert '"deletionVector"' in log
    assert read_table_log(table).rows == 23
    assert agrees(spark, table)


def test_a_checkpoint_stands_for_the_commits_before_it(spark: SparkSession, table: Path) -> None:
    for number in range(12):
        append(spark, table, number)
    assert (table / "_delta_log/00000000000000000010.checkpoint.parquet").exists()
    for old in range(10):
        (table / f"_delta_log/{old:020d}.json").unlink()

    assert agrees(spark, table)
    assert (read_table_log(table).rows, newest_version(table)) == (12, 11)


def test_properties_are_those_of_the_newest_change(spark: SparkSession, table: Path) -> None:
    append(spark, table, 1)
    assert read_table_log(table).properties == {}
    spark.sql(f"ALTER TABLE delta.`{table}` SET TBLPROPERTIES ('clvspark.format' = '99')")
    assert read_table_log(table).properties["clvspark.format"] == "99"


def test_files_without_statistics_make_the_rows_unknown(spark: SparkSession, table: Path) -> None:
    append(spark, table, 1)
    commit = table / "_delta_log/00000000000000000000.json"
    actions = [json.loads(line) for line in commit.read_text().splitlines()]
    for action in actions:
        action.get("add", {}).pop("stats", None)
    commit.write_text("".join(json.dumps(action) + "\n" for action in actions))

    assert read_table_log(table).rows is None


def test_statistics_may_hold_other_ends_of_lines(spark: SparkSession, table: Path) -> None:
    names = [("Th\u0085ing",), ("x\u2028y",), ("x\u2029y",)]
    spark.createDataFrame(names, "name string").write.format("delta").save(str(table))

    assert (newest_version(table), read_table_log(table).rows) == (0, 3)


@pytest.mark.parametrize("text", ["", '{"add": {"path"', "no json\n"])
def test_a_damaged_commit_is_named(spark: SparkSession, table: Path, text: str) -> None:
    append(spark, table, 1)
    (table / "_delta_log/00000000000000000000.json").write_text(text)

    for read in (read_table_log, newest_version):
        with pytest.raises(DamagedFileError, match=r"0{20}\.json is cut short or altered"):
            read(table)


def test_a_missing_commit_is_not_passed_over(spark: SparkSession, table: Path) -> None:
    for number in range(3):
        append(spark, table, number)
    (table / "_delta_log/00000000000000000001.json").unlink()

    with pytest.raises(DamagedFileError, match="commits are missing between version -1 and 2"):
        read_table_log(table)


def test_a_first_write_that_was_killed_left_no_table_and_does_not_hinder_the_next(
    lake: Lakehouse,
) -> None:
    root = lake.storage.local_root
    assert root is not None
    folder = root / "sources/product"
    (folder / "_delta_log").mkdir(parents=True)
    (folder / "_delta_log/.00000000000000000000.json.5f7c.tmp").write_text("half")
    assert not is_table(folder)
    assert not lake.exists(PRODUCT)
    assert lake.version(PRODUCT) is None

    lake.overwrite(PRODUCT, PRODUCT.rows(lake.spark, [{"product_id": "p1"}]))
    assert lake.version(PRODUCT) == 0
    assert lake.read(PRODUCT).count() == 1
