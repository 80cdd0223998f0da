"""Scores, segments and stages of persons, from their purchase days alone."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.history.config import RelationshipConfig
from clvspark.history.relationship import describe_relationships
from clvspark.history.rfm import score_rfm
from clvspark.history.surveys import name_answers, summarise_answers
from clvspark.history.tables import PERSON_DAY, RELATIONSHIP
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse.contract import verify_contract
from clvspark.sources.tables import SURVEY_RESPONSE

APRIL = date(2026, 4, 1)
CONFIG = RelationshipConfig()  # type: ignore[call-arg]


def bought(person: str, *days_ago: int, amount: int = 50) -> list[dict[str, object]]:
    """Purchases so many days before the last day counted."""
    last = APRIL - timedelta(days=1)
    return [
        {
            "person_id": person, "day": last - timedelta(days=ago), "orders": 1, "refunds": 0,
            "net_revenue": amount, "margin": amount, "interactions": 0,
        }
        for ago in days_ago
    ]  # fmt: skip


def answer(number: int, record: str, on: str, score: int) -> dict[str, object]:
    return {
        "response_id": number, "source_system": "shop", "source_record_id": record, "answered_at": on,
        "score": score,
    }  # fmt: skip


@pytest.fixture(scope="module")
def answers(spark: SparkSession) -> DataFrame:
    links = [
        {"source_system": "shop", "source_record_id": record, "person_id": person}
        for record, person in (("1", "core"), ("2", "core"), ("3", "lapsed"))
    ]
    rows = [
        answer(1, "1", "2026-01-05 09:00:00", 9), answer(2, "2", "2026-03-05 09:00:00", 4),
        answer(3, "3", "2026-04-01 00:00:00", 7), answer(4, "nobody", "2026-03-05 09:00:00", 0),
    ]  # fmt: skip
    named = name_answers(SURVEY_RESPONSE.rows(spark, rows), PERSON_LINK.rows(spark, links))
    return summarise_answers(named, as_of=APRIL).persist()


DAYS = [
    *bought("new", 10),
    *bought("growing", 100),
    # Every 30 days; two months of silence are two gaps, which is not more than two.
    *bought("core", 150, 120, 90, 60),
    *bought("slipping", 151, 121, 91, 61),
    *bought("lapsed", 211, 181, 151, 121),
    # Every day, and a week of silence: no gap counts as less than a fortnight.
    *bought("daily", 107, 106, 105, 7, amount=1),
    # As often as ever, for a fifth of the money.
    *bought("thrifty", 364, 304, 244, 184, amount=500),
    *bought("thrifty", 124, 64, 4, amount=100),
]


@pytest.fixture(scope="module")
def described(spark: SparkSession, answers: DataFrame) -> DataFrame:
    days = PERSON_DAY.rows(spark, DAYS)
    return RELATIONSHIP.conform(
        describe_relationships(days, answers, as_of=APRIL, config=CONFIG)
    ).persist()


def test_stages_follow_the_silence_against_ones_own_rhythm(described: DataFrame) -> None:
    verify_contract(described, RELATIONSHIP)
    found = {row["person_id"]: (row["stage"], row["previous_stage"]) for row in described.collect()}
    assert found == {
        "new": ("new", None),
        # One purchase: a gap of 91 days is assumed. 91 days before, it was 9 days old.
        "growing": ("growing", "new"),
        "core": ("core", "new"),
        "slipping": ("slipping", "growing"),
        "lapsed": ("lapsed", "core"),
        "daily": ("core", "new"),
        "thrifty": ("slipping", "core"),
    }


def test_facts_are_those_up_to_the_day_before(described: DataFrame) -> None:
    found = {row["person_id"]: row for row in described.collect()}
    core, thrifty = found["core"], found["thrifty"]
    assert (core["recency_days"], core["frequency"], core["monetary"]) == (60, 4, Decimal("200.00"))
    assert (core["usual_gap_days"], core["spend_trend"]) == (30.0, None)
    # 300 in 182 days against 2000 in the 183 before.
    assert thrifty["spend_trend"] == pytest.approx((300 / 182) / (2000 / 183))
    assert found["daily"]["usual_gap_days"] == pytest.approx(100 / 3)


def test_the_last_answer_stands_beside_the_behaviour(described: DataFrame) -> None:
    rows = described.where("person_id IN ('core', 'lapsed')").collect()
    assert {r["person_id"]: (r["answers"], r["last_score"], r["last_answered_on"]) for r in rows} == {
        "core": (2, 4, date(2026, 3, 5)),
        # Answered on the day that is not known yet.
        "lapsed": (0, None, None),
    }  # fmt: skip


def test_a_purchase_of_the_day_itself_is_not_known_yet(
    spark: SparkSession, answers: DataFrame
) -> None:
    days = PERSON_DAY.rows(spark, bought("early", -1))
    assert describe_relationships(days, answers, as_of=APRIL, config=CONFIG).isEmpty()


def test_equal_values_have_equal_scores(spark: SparkSession) -> None:
    rows = [(f"p{n}", n, 1 if n < 6 else n, float(100 * n)) for n in range(10)]
    columns = "person_id string, recency_days int, frequency int, monetary double"
    found = score_rfm(spark.createDataFrame(rows, columns)).orderBy("recency_days").collect()
    # Two persons a quintile, the most recent first.
    assert [row["r_score"] for row in found] == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert [row["m_score"] for row in found] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    # Six bought once; of the others two each are beyond the quintiles at 3 x 1, then at 6.x and 7.x.
    assert [row["f_score"] for row in found] == [1] * 6 + [4, 4, 5, 5]
    assert [row["segment"] for row in found] == (
        ["promising"] * 4 + ["needs_attention"] * 2 + ["cannot_lose"] * 4
    )


customers = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1, 6), st.integers(-50, 99_999)), min_size=1, max_size=30
)  # fmt: skip


@settings(max_examples=6)
@given(customers)
def test_scores_are_the_quintiles_beyond_in_any_partitioning(
    spark: SparkSession, customers: list[tuple[int, int, int]]
) -> None:
    rows = [(f"p{n}", *values) for n, values in enumerate(customers)]
    df = spark.createDataFrame(
        rows, "person_id string, recency_days int, frequency int, monetary int"
    )
    found = sorted(map(tuple, score_rfm(df).collect()))
    assert sorted(map(tuple, score_rfm(df.repartition(4, F.rand(1))).collect())) == found
    days, counts, _ = (np.array(values, float) for values in zip(*customers, strict=True))
    shares = [0.2, 0.4, 0.6, 0.8]
    by_person = {row[0]: row[4:6] for row in found}
    assert by_person == {
        f"p{n}": (
            5 - int(sum(days[n] > cut for cut in np.quantile(days, shares))),
            1 + int(sum(counts[n] > cut for cut in np.quantile(counts, shares))),
        )
        for n in range(len(rows))
    }
