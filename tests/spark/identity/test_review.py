"""The queue of pairs whose answer by people would teach most."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from clvspark.identity.review.cases import prioritise, take_first
from clvspark.identity.tables import PAIR, REVIEW_PAIR

# Two large persons with a link between them, one doubtful pair, one sure pair, a group that a guard took apart.
PERSONS = {"p": "abc", "q": "xyz", "r": "mn", "s": "st", "t": "u", "v": "w"}
PAIRS = [
    ("a", "b", 20.0, 0.999999), ("c", "x", 3.0, 0.8), ("m", "n", 0.0, 0.5), ("s", "t", 12.0, 0.9998),
    ("u", "w", 5.0, 0.97), ("n", "s", 1.0, 0.6),
]  # fmt: skip


def queue(spark: SparkSession, *decided: tuple[str, str], limit: int = 10) -> list[tuple]:
    rows = [
        {"unique_id_l": a, "unique_id_r": b, "match_weight": w, "match_probability": p}
        for a, b, w, p in PAIRS
    ]
    persons = [
        (record, person, person in "tv") for person, own in PERSONS.items() for record in own
    ]
    schema = "unique_id string, cluster string, is_divided boolean"
    bonds = spark.createDataFrame(
        [(*pair, 1) for pair in decided], "unique_id_l string, unique_id_r string, bond tinyint"
    )
    pairs = PAIR.rows(spark, rows).drop("priority", "reason")
    asked = PAIR.conform(prioritise(pairs, spark.createDataFrame(persons, schema), bonds))
    assert asked.count() == len(PAIRS)
    ranked = take_first(asked, limit=limit)
    found = REVIEW_PAIR.conform(ranked).collect()
    return [
        (row["unique_id_l"], row["unique_id_r"], row["reason"], row["priority"]) for row in found
    ]


def test_what_would_move_most_pairs_comes_first_and_what_is_sure_is_not_asked(
    spark: SparkSession,
) -> None:
    found = queue(spark)
    assert [row[:3] for row in found] == [
        ("c", "x", "bridge"), ("n", "s", "separated"), ("m", "n", "uncertain"), ("u", "w", "guard")
    ]  # fmt: skip
    assert [row[3] for row in found] == pytest.approx([0.8 * 9, 0.6 * 4, 1.0, 0.97])


def test_decided_pairs_leave_and_the_queue_is_bounded(spark: SparkSession) -> None:
    assert [row[:2] for row in queue(spark, ("c", "x"), limit=2)] == [("n", "s"), ("m", "n")]
