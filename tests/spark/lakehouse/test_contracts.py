"""What a table refuses, and that nothing is written then."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.audiences.tables import DECILE
from clvspark.lakehouse import Column, Lakehouse, Table
from clvspark.lakehouse.contract import verify_contract, verify_contracts
from clvspark.lakehouse.errors import ContractError

PRICE = Table(
    "shop.price",
    "A price on a day.",
    (
        Column("item", "string", key=True),
        Column("day", "date", key=True),
        Column("price", "double", required=True, check="price >= 0"),
        Column("low", "double"),
        Column("tags", "array<string>"),
    ),
    checks={"low_is_low": "low <= price"},
)
DAY = date(2026, 4, 1)


def prices(spark: SparkSession, *rows: tuple[object, ...]) -> DataFrame:
    return spark.createDataFrame([(*row, None) for row in rows], PRICE.schema)


@pytest.fixture(scope="module")
def good(spark: SparkSession) -> DataFrame:
    return prices(spark, ("a", DAY, 2.0, 1.0), ("b", DAY, 3.0, None)).persist()


def test_rows_within_the_contract_are_counted(good: DataFrame) -> None:
    assert verify_contract(PRICE.conform(good), PRICE) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda df: df.drop("low"), r"column low is missing"),
        (lambda df: df.withColumn("extra", F.lit(1)), r"column extra is not in the contract"),
        (
            lambda df: df.withColumn("price", F.col("price").cast("string")),
            r"column price is string, the contract says double",
        ),
    ],
    ids=["missing", "extra", "retyped"],
)
def test_other_columns_are_named(good: DataFrame, change, message: str) -> None:
    with pytest.raises(ContractError, match=rf"shop.price: .*{message}.*Nothing was written"):
        PRICE.conform(change(good))


def test_all_faults_of_the_columns_come_in_one_message(good: DataFrame) -> None:
    with pytest.raises(ContractError) as raised:
        PRICE.conform(good.drop("low", "tags").withColumn("extra", F.lit(1)))
    for name in ("low", "tags", "extra"):
        assert f"column {name} " in str(raised.value)


def test_columns_are_put_into_the_order_of_the_contract(good: DataFrame) -> None:
    assert PRICE.conform(good.select(*reversed(PRICE.names))).columns == PRICE.names


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((None, DAY, 2.0, 1.0), "item is NULL: 1 rows"),
        (("c", None, 2.0, 1.0), "day is NULL: 1 rows"),
        (("c", DAY, None, 1.0), "price is NULL: 1 rows"),
        (("c", DAY, NAN, 1.0), "price is not finite: 1 rows"),
        (("c", DAY, 2.0, -INF), "low is not finite: 1 rows"),
        (("c", DAY, -2.0, -3.0), r"price breaks \(price >= 0\): 1 rows"),
        (("c", DAY, 2.0, 2.5), r"low_is_low breaks \(low <= price\): 1 rows"),
        (("a", DAY, 9.0, 1.0), r"1 keys \(item, day\) occur more than once"),
    ],
    ids=["null-key", "null-key-2", "null", "nan", "infinite", "check", "table-check", "duplicate"],
)
def test_each_violation_is_counted(
    spark: SparkSession, good: DataFrame, row: tuple[object, ...], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        verify_contract(good.unionByName(prices(spark, row)), PRICE)


def test_messages_count_and_never_show_a_value(spark: SparkSession) -> None:
    bad = prices(spark, ("SECRET", DAY, -77.5, None), ("SECRET", DAY, -77.5, None))
    with pytest.raises(ContractError) as raised:
        verify_contract(bad, PRICE)
    assert "2 rows" in str(raised.value)
    assert "SECRET" not in str(raised.value)
    assert "77.5" not in str(raised.value)


def test_a_refused_write_leaves_the_table_as_it_was(lake: Lakehouse) -> None:
    def decile(person: str, tenth: int) -> DataFrame:
        row = {"person_id": person, "metric": "clv", "as_of_date": DAY, "value": 1, "rank": 1}
        return DECILE.rows(lake.spark, [{**row, "decile": tenth}])

    lake.overwrite(DECILE, decile("p1", 1))
    before = lake.version(DECILE)
    for write in (lake.overwrite, lake.append, lake.merge):
        with pytest.raises(ContractError, match="decile breaks"):
            write(DECILE, decile("p2", 11))
        with pytest.raises(ContractError, match="column decile is missing"):
            write(DECILE, decile("p2", 1).drop("decile"))
    assert lake.version(DECILE) == before
    assert [row["person_id"] for row in lake.read(DECILE).collect()] == ["p1"]


def test_a_refused_first_write_creates_nothing(lake: Lakehouse) -> None:
    bad = DECILE.rows(lake.spark, [{"metric": "clv", "as_of_date": DAY, "decile": 1}])
    with pytest.raises(ContractError, match="person_id is NULL"):
        lake.overwrite(DECILE, bad)
    assert not lake.exists(DECILE)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((Column("a", "int"), Column("a", "int")), "a column is declared twice"),
        ((Column("a", "int"),), "cluster_by names no column"),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(columns, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Table("shop.x", "", columns, cluster_by=("b",))


def test_a_table_is_named_by_schema_and_table() -> None:
    with pytest.raises(ContractError, match=r"'schema\.table'"):
        Table("price", "", (Column("a", "int"),))


def test_several_frames_are_verified_at_once_each_by_its_own_contract(
    spark: SparkSession, good: DataFrame
) -> None:
    nothing, keyless = prices(spark), good.select("item")
    assert verify_contracts([]) == []
    assert verify_contracts([(nothing, PRICE), (good, PRICE), (keyless, None)]) == [0, 2, 2]
    twice = good.unionByName(prices(spark, ("a", DAY, 9.0, None)))
    with pytest.raises(
        ContractError, match=r"shop.price: 1 keys \(item, day\) occur more than once"
    ):
        verify_contracts([(good, PRICE), (twice, PRICE)])
    # What one frame has another may have as well, and of what has no contract nothing is asked.
    assert verify_contracts([(good, PRICE), (good, PRICE), (twice, None)]) == [2, 2, 3]
    below = good.unionByName(prices(spark, ("c", DAY, -1.0, None)))
    with pytest.raises(ContractError, match=r"breaks \(price >= 0\): 1 rows"):
        verify_contracts([(good, PRICE), (below, PRICE)])
