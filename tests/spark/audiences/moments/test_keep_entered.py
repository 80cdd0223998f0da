"""Entered stays entered: what another look at a date makes of the journeys that an earlier one has begun."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clvspark.audiences.moments.advance import hold_back, keep_entered
from clvspark.audiences.moments.definitions import Moment
from clvspark.audiences.moments.tables import JOURNEY

DAY, LATER = date(2026, 4, 2), date(2026, 4, 9)
CART = Moment.model_validate(
    {
        "id": "cart", "name": "Cart", "goal": {"measure": "orders"},
        "trigger": {"happened": {"type": "cart_abandoned"}},
        "steps": [{"id": "hello", "channel": "email", "message": "hello"}],
    }
)  # fmt: skip
BROWSED = Moment.model_validate(
    {**CART.model_dump(), "id": "browsed", "trigger": {"entered_audience": {"id": "browsing"}}}
)


def journey(
    name: str, person: str, *, over: date | None = None, why: str | None = None, was: str = ""
) -> dict[str, Any]:
    return {
        "journey_id": name, "moment_id": "cart", "version": 1, "person_id": person, "entered_on": DAY, "ends_on": LATER,
        "ended_on": over, "end_reason": why, "was": was or person,
    }  # fmt: skip


def keep(
    spark: SparkSession, now: list[dict], entered: list[dict], orders: Sequence[str] = ()
) -> dict:
    """``journey_id`` to person, end and its reason."""
    was = {row["journey_id"]: row["was"] for row in entered}
    old = F.coalesce(*(F.when(F.col("journey_id") == name, person) for name, person in was.items()))
    endings = [("cart", person, DAY, "order") for person in orders]
    columns = "moment_id string, person_id string, happened_on date, reason string"
    found = keep_entered(
        JOURNEY.rows(spark, now),
        JOURNEY.rows(spark, entered).withColumn("_was", old),
        spark.createDataFrame(endings, columns),
    )
    return {
        row["journey_id"]: (row["person_id"], row["ended_on"], row["end_reason"])
        for row in found.collect()
    }


def test_a_journey_goes_on_under_the_id_that_it_was_entered_by(spark: SparkSession) -> None:
    now = [journey("of ann", "ann"), journey("of bob", "bob")]
    entered = [journey("of who ann was", "ann", was="anna")]

    assert keep(spark, now, entered) == {
        "of who ann was": ("ann", None, None),
        "of bob": ("bob", None, None),
    }


def test_one_that_would_not_begin_now_ends_on_its_first_day_for_what_ended_it(
    spark: SparkSession,
) -> None:
    entered = [
        journey("bought", "ann"),
        journey("untriggered", "bob"),
        journey("merged", "cat", was="kate"),
    ]
    assert keep(spark, [], entered, orders=["ann"]) == {
        "bought": ("ann", DAY, "order"),
        "untriggered": ("bob", DAY, "untriggered"),
        "merged": ("cat", DAY, "merged"),
    }


def test_of_two_on_one_day_the_persons_own_goes_on(spark: SparkSession) -> None:
    entered = [journey("a", "ann", was="anna"), journey("b", "ann")]

    assert keep(spark, [journey("now", "ann")], entered) == {
        "a": ("ann", DAY, "merged"),
        "b": ("ann", None, None),
    }


def test_what_has_ended_on_its_first_day_is_not_taken_up_again(spark: SparkSession) -> None:
    over = [journey("over", "ann", over=DAY, why="order")]

    assert keep(spark, [journey("now", "ann")], over) == {"over": ("ann", DAY, "order")}


def test_a_cart_of_whoever_is_looking_around_waits_unless_it_has_counted(
    spark: SparkSession,
) -> None:
    columns = "moment_id string, person_id string, triggered_on date"
    rows = [
        ("cart", "ann", DAY),
        ("cart", "bob", DAY),
        ("cart", "cat", DAY),
        ("browsed", "ann", DAY),
    ]
    busy = spark.createDataFrame([("ann",), ("bob",)], "person_id string")
    entered = JOURNEY.rows(spark, [journey("j", "bob")])

    triggers = spark.createDataFrame(rows, columns)
    left = hold_back(triggers, busy, entered, [CART, BROWSED], on=DAY)
    assert {tuple(row) for row in left.select("moment_id", "person_id").collect()} == {
        ("cart", "bob"),
        ("cart", "cat"),
        ("browsed", "ann"),
    }
