"""Sums of what came of decisions, as the posteriors of offers read them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pyspark.sql import DataFrame, SparkSession

from clvspark.activation.tables import ASSIGNMENT, HOLDOUT
from clvspark.audiences.decisions.tables import DECISION
from clvspark.history.tables import PERSON_DAY
from clvspark.lakehouse.contract import verify_contract
from clvspark.measurement.offers import choose_decisions, sum_offer_outcomes
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


def test_what_the_stream_decided_counts_from_the_day_on_which_it_was_told(
    spark: SparkSession,
) -> None:
    tomorrow = date(2026, 4, 2)
    facts = {
        "decision_point": "visit", "context": "1 core", "ranking": "learning", "expected_incremental_margin": 1.0,
        "propensity": 0.5, "posterior_id": "p", "reasons": [], "is_fallback": False,
    }  # fmt: skip
    made = [
        ("ann", "coupon", "email", APRIL, None),
        ("bob", "coupon", "email", tomorrow, APRIL),
        ("cat", "none", None, tomorrow, tomorrow),
    ]
    decisions = [
        {**facts, "decision_id": who, "person_id": who, "offer_id": offer, "channel": channel, "as_of_date": day,
         "acted_on": acted}
        for who, offer, channel, day, acted in made
    ]  # fmt: skip
    told = [
        {"as_of_date": day, "audience_id": "visit.coupon", "person_id": who, "split_group": "treatment"}
        for who, day in (("ann", APRIL), ("bob", tomorrow))
    ]  # fmt: skip
    chosen = choose_decisions(
        DECISION.rows(spark, decisions), ASSIGNMENT.rows(spark, told), HOLDOUT.rows(spark, [])
    )
    days = {row["person_id"]: row["decided_on"] for row in chosen.collect()}
    assert days == {"ann": APRIL, "bob": APRIL, "cat": tomorrow}
    # What bob and ann bought on the first of April follows from it.
    found = sum_offer_outcomes(chosen, buy(spark), window_days=6, observed_until=LATER)
    assert sums(found) == {
        ("1 core", "coupon"): (2, 1, Decimal("10.00"), Decimal("100.0000")),
        ("1 core", "none"): (1, 0, Decimal("0.00"), Decimal("0.0000")),
    }
