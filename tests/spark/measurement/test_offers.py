"""Sums of what came of decisions, as the posteriors of offers read them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pyspark.sql import DataFrame, SparkSession

from clvspark.history.tables import PERSON_DAY
from clvspark.lakehouse.contract import verify_contract
from clvspark.measurement.offers import sum_offer_outcomes
from clvspark.measurement.tables import OFFER_OUTCOME

APRIL, LATER = date(2026, 4, 1), date(2026, 4, 8)
DECISIONS = [
    ("d1", "ann", "1 core", "coupon", APRIL),
    ("d2", "bob", "1 core", "coupon", APRIL),
    ("d3", "cat", "1 core", "none", APRIL),
    ("d4", "ann", "2 new", "coupon", LATER),
]


def decide(spark: SparkSession) -> DataFrame:
    schema = (
        "decision_id string, person_id string, context string, offer_id string, decided_on date"
    )
    return spark.createDataFrame(DECISIONS, schema)


def buy(spark: SparkSession) -> DataFrame:
    bought = [
        ("ann", APRIL, 10), ("ann", date(2026, 4, 7), -4), ("ann", LATER, 100),
        ("bob", date(2026, 3, 31), 7), ("eve", APRIL, 50),
    ]  # fmt: skip
    day = {"orders": 1, "refunds": 0, "net_revenue": 0, "interactions": 0}
    return PERSON_DAY.rows(
        spark, [{**day, "person_id": p, "day": on, "margin": amount} for p, on, amount in bought]
    )


def sums(found: DataFrame) -> dict[tuple[str, str], tuple[object, ...]]:
    rows = OFFER_OUTCOME.conform(found)
    verify_contract(rows, OFFER_OUTCOME)
    return {(row["context"], row["offer_id"]): tuple(row)[3:] for row in rows.collect()}


def test_each_decision_counts_once_with_the_margin_of_its_own_window(spark: SparkSession) -> None:
    found = sum_offer_outcomes(
        decide(spark), buy(spark), window_days=7, observed_until=date(2026, 4, 15)
    )
    assert sums(found) == {
        ("1 core", "coupon"): (2, 1, Decimal("6.00"), Decimal("36.0000")),
        ("1 core", "none"): (1, 0, Decimal("0.00"), Decimal("0.0000")),
        ("2 new", "coupon"): (1, 1, Decimal("100.00"), Decimal("10000.0000")),
    }


def test_decisions_wait_until_their_window_is_over(spark: SparkSession) -> None:
    found = sum_offer_outcomes(
        decide(spark), buy(spark), window_days=7, observed_until=date(2026, 4, 14)
    )
    assert set(sums(found)) == {("1 core", "coupon"), ("1 core", "none")}
