"""Sizes of blocks before they are compared: explosions are refused, blocks that become hot or cool down are found."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession

from clvspark.identity import IdentitySettings
from clvspark.identity.blocking.sizes import (
    count_all_blocks,
    find_meetings,
    hot_blocks,
    refuse_explosion,
)
from clvspark.lakehouse.errors import ConfigError

Record = tuple[str, str | None, str]


def settings(**changes: object) -> IdentitySettings:
    return IdentitySettings.model_validate(
        {
            "attributes": [
                {"column": "email", "kind": "email"},
                {"column": "card", "kind": "identifier"},
            ],
            "blocking_rules": [["email"], ["email", "card"]],
            "refining_columns": ["card"],
            "max_block_records": 3,
            "training": {"deterministic_rules": [["email"]], "em_rules": [["card"]]},
            **changes,
        }
    )


def evidence(spark: SparkSession, *rows: Record) -> DataFrame:
    return spark.createDataFrame(list(rows), "unique_id string, email string, card string")


def many(prefix: str, count: int, email: str | None, card: str = "c") -> list[Record]:
    return [(f"{prefix}{n}", email, card) for n in range(count)]


def found(frame: DataFrame) -> set[str]:
    return {row["unique_id"] for row in frame.collect()}


def test_a_rule_that_would_compare_too_much_is_refused_before_it_runs(spark: SparkSession) -> None:
    rules = settings(max_block_records=100)
    records = evidence(spark, *many("a", 12, "x"), *many("b", 2, "y"), *many("n", 9, None))
    sizes = count_all_blocks(records, rules).persist()
    assert sorted(row["records"] for row in sizes.collect()) == [2, 2, 12, 12]
    refuse_explosion(sizes, rules.model_copy(update={"max_pairs": 134}))
    with pytest.raises(ConfigError) as refused:
        refuse_explosion(sizes, rules.model_copy(update={"max_pairs": 133}))
    assert "[email] would compare 67 pairs" in str(refused.value)
    assert "max_pairs allows 133 in all" in str(refused.value)
    refuse_explosion(sizes, rules.model_copy(update={"max_pairs": 2, "max_block_records": 5}))


def test_hot_blocks_are_listed(spark: SparkSession) -> None:
    sizes = count_all_blocks(evidence(spark, *many("a", 4, "x"), *many("b", 3, "y")), settings())
    assert {(row["rule"], row["records"]) for row in hot_blocks(sizes, settings()).collect()} == {
        (0, 4), (1, 4)
    }  # fmt: skip


def test_who_shares_a_block_with_a_touched_record_meets_it(spark: SparkSession) -> None:
    new, kept = (
        evidence(spark, ("new", "x", "c")),
        evidence(spark, ("a", "x", "d"), ("b", "y", "c")),
    )
    meetings = find_meetings(new, new.limit(0), kept, settings())
    assert found(meetings.met) == {"a"}
    assert found(meetings.more) == set()
    sizes = {(row["rule"], row["records"], row["touched"]) for row in meetings.sizes.collect()}
    assert sizes == {(0, 2, 1), (1, 1, 1)}


@pytest.mark.parametrize("comes", [True, False])
def test_all_records_of_a_block_that_becomes_hot_or_cools_down_are_touched(
    spark: SparkSession, comes: bool
) -> None:
    moved = evidence(spark, ("moved", "x", "d"))
    kept = evidence(spark, *many("a", 3, "x"), *many("b", 2, "y"))
    nobody = moved.limit(0)
    new, before = (moved, nobody) if comes else (nobody, moved)
    assert found(find_meetings(new, before, kept, settings()).more) == {"a0", "a1", "a2"}


@pytest.mark.parametrize("comes", [True, False])
def test_so_are_those_of_the_part_of_a_hot_block_that_becomes_too_large_or_small_enough(
    spark: SparkSession, comes: bool
) -> None:
    moved = evidence(spark, ("moved", "x", "c"))
    rules = settings(blocking_rules=[["email"]])
    kept = evidence(spark, *many("a", 3, "x", "c"), *many("b", 2, "x", "d"))
    nobody = moved.limit(0)
    new, before = (moved, nobody) if comes else (nobody, moved)
    assert found(find_meetings(new, before, kept, rules).more) == {"a0", "a1", "a2"}
