"""Decisions of people: contradictions are refused, those about records that are gone wait."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession

from clvspark.identity.review.decisions import (
    hash_decisions,
    keep_known,
    list_bonds,
    refuse_contradictions,
)
from clvspark.identity.tables import DECISION
from clvspark.lakehouse.errors import ContractError

Decided = tuple[str, str, str]


def decisions(spark: SparkSession, *decided: Decided) -> DataFrame:
    """Decisions of the days from January 1st on, one a day."""
    rows = [
        {"unique_id_l": a, "unique_id_r": b, "verdict": v, "decided_at": f"2026-01-{day:02}"}
        for day, (a, b, v) in enumerate(decided, start=1)
    ]
    return DECISION.rows(spark, rows)


def bonds(spark: SparkSession, *decided: Decided) -> DataFrame:
    found = list_bonds(decisions(spark, *decided))
    assert found is not None
    return found


def refuse(spark: SparkSession, *decided: Decided) -> None:
    refuse_contradictions(bonds(spark, *decided), decisions(spark, *decided))


def test_nobody_decided(spark: SparkSession) -> None:
    assert list_bonds(DECISION.rows(spark, [])) is None


def test_decisions_that_cannot_all_be_true_are_refused_by_when_they_were_made(
    spark: SparkSession,
) -> None:
    chain = [("s:a", "s:b", "same"), ("s:b", "s:c", "same"), ("s:d", "s:e", "different")]
    refuse(spark, *chain, ("s:c", "s:d", "different"))
    with pytest.raises(ContractError, match=r"1 decisions .* decided_at 2026-01-04 00") as refused:
        refuse(spark, *chain, ("s:a", "s:c", "different"))
    assert "s:" not in str(refused.value)
    chains = [
        decision
        for n in range(5)
        for decision in (
            (f"s:{n}a", f"s:{n}b", "same"),
            (f"s:{n}b", f"s:{n}c", "same"),
            (f"s:{n}a", f"s:{n}c", "different"),
        )
    ]
    with pytest.raises(
        ContractError, match=r"5 decisions .*-03 .*-06 .*-09 00:00:00 \(UTC\) and 2"
    ):
        refuse(spark, *chains)


def test_what_is_different_may_be_different_by_many(spark: SparkSession) -> None:
    refuse(spark, ("a", "b", "different"), ("b", "c", "different"), ("a", "c", "different"))


def test_decisions_about_records_that_are_gone_are_left_out(spark: SparkSession) -> None:
    records = spark.createDataFrame([("a",), ("b",), ("d",)], "unique_id string")
    known = keep_known(
        bonds(spark, ("a", "b", "same"), ("b", "c", "same"), ("c", "d", "different")), records
    )
    assert [tuple(row) for row in known.collect()] == [("a", "b", 1)]


def test_the_hash_of_a_record_tells_of_each_of_its_decisions(spark: SparkSession) -> None:
    def hashes(*decided: Decided) -> dict[str, int]:
        rows = hash_decisions(bonds(spark, *decided)).collect()
        return {row["unique_id"]: row["decision_hash"] for row in rows}

    first = hashes(("a", "b", "same"), ("a", "c", "different"))
    assert set(first) == {"a", "b", "c"}
    assert hashes(("a", "c", "different"), ("a", "b", "same")) == first
    other = hashes(("a", "b", "same"), ("a", "c", "same"))
    assert other["b"] == first["b"]
    assert other["a"] != first["a"]
    assert other["c"] != first["c"]
