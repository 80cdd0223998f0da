"""What starts and ends journeys: five kinds of triggers, three kinds of ends."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.audiences.moments.definitions import Moment
from clvspark.audiences.moments.endings import list_endings
from clvspark.audiences.moments.triggers import Evidence, list_abandoned_carts, list_triggers
from clvspark.audiences.tables import MEMBERSHIP_EVENT
from clvspark.clv.tables import VALUE_CHANGE
from clvspark.history.tables import ORDER, SESSION

MARCH, APRIL = date(2026, 3, 31), date(2026, 4, 3)


def moment(trigger: dict[str, Any], **more: Any) -> Moment:
    steps = [{"id": "one", "channel": "email", "message": "m"}]
    given = {
        "id": "m",
        "name": "M",
        "goal": {"measure": "margin"},
        "trigger": trigger,
        "steps": steps,
    }
    return Moment.model_validate({**given, **more})


def evidence(
    spark: SparkSession,
    *,
    moves: list[tuple[str, str, str, str]] = (),  # type: ignore[assignment]
    changes: list[dict[str, Any]] = (),  # type: ignore[assignment]
    happenings: list[tuple[str, str, str]] = (),  # type: ignore[assignment]
    first: list[tuple[str, str]] = (),  # type: ignore[assignment]
) -> Evidence:
    entered = [
        {"event_id": str(n), "audience_id": a, "person_id": p, "transition": t, "happened_on": on}
        for n, (a, p, t, on) in enumerate(moves)
    ]
    return Evidence(
        membership_events=MEMBERSHIP_EVENT.rows(spark, entered),
        value_changes=VALUE_CHANGE.rows(spark, changes),
        happenings=spark.createDataFrame(
            [*happenings], "person_id string, type string, at string"
        ).withColumn("at", F.to_timestamp("at")),
        first_purchases=spark.createDataFrame(
            [*first], "person_id string, first_purchase_on string"
        ).withColumn("first_purchase_on", F.to_date("first_purchase_on")),
    )


def triggered(found: Evidence, *moments: Moment) -> set[tuple[str, str]]:
    since = {m.id: MARCH for m in moments}
    rows = list_triggers(found, moments, since=since, until=APRIL).collect()
    return {(row["person_id"], str(row["triggered_on"])) for row in rows}


def ended(found: Evidence, one: Moment) -> set[tuple[str, str, str]]:
    rows = list_endings(found, [one], since={one.id: MARCH}, until=APRIL).collect()
    return {(row["person_id"], str(row["happened_on"]), row["reason"]) for row in rows}


def test_a_decline_triggers_when_it_begins_and_ends_when_it_is_over(spark: SparkSession) -> None:
    def change(person: str, on: str, since: str | None) -> dict[str, Any]:
        return {
            "person_id": person,
            "as_of_date": on,
            "is_declining": since is not None,
            "declining_since": since,
        }

    found = evidence(
        spark,
        changes=[
            change("begins", "2026-04-01", "2026-04-01"),
            change("goes on", "2026-04-01", "2026-03-01"),
            change("long past", "2026-03-01", "2026-03-01"),
            change("recovers", "2026-04-02", None),
        ],
    )
    one = moment({"value_declines": {}}, exits=["recovered"])
    assert triggered(found, one) == {("begins", "2026-04-01")}
    assert ended(found, one) == {("recovers", "2026-04-02", "recovered")}


def test_what_happens_is_known_the_day_after(spark: SparkSession) -> None:
    found = evidence(
        spark,
        happenings=[
            ("late", "visit", "2026-03-30 23:59:59"),
            ("first", "visit", "2026-03-31 00:00:00"),
            ("last", "visit", "2026-04-02 23:59:59"),
            ("tomorrow", "visit", "2026-04-03 00:00:00"),
            ("other", "call", "2026-04-01 10:00:00"),
        ],
    )
    assert triggered(found, moment({"happened": {"type": "visit"}})) == {
        ("first", "2026-04-01"), ("last", "2026-04-03")
    }  # fmt: skip


def test_how_often_counts_within_so_many_days(spark: SparkSession) -> None:
    visits = [("often", "2026-03-25"), ("often", "2026-03-31"), ("often", "2026-04-01"),
              ("apart", "2026-03-24"), ("apart", "2026-03-31")]  # fmt: skip
    found = evidence(spark, happenings=[(p, "visit", f"{on} 12:00:00") for p, on in visits])
    rule = {"happened": {"type": "visit", "at_least": 2, "within_days": 7}}
    assert triggered(found, moment(rule)) == {("often", "2026-04-01"), ("often", "2026-04-02")}


def test_the_first_purchase_is_told_from_others(spark: SparkSession) -> None:
    orders = [("new", "2026-04-01"), ("old", "2025-04-01"), ("old", "2026-04-01"), ("twice", "2026-04-01"),
              ("twice", "2026-04-02")]  # fmt: skip
    found = evidence(spark, happenings=[(p, "order", f"{on} 12:00:00") for p, on in orders])
    assert triggered(found, moment({"happened": {"type": "order", "orders": 1}})) == {
        ("new", "2026-04-02"), ("twice", "2026-04-02")
    }  # fmt: skip
    assert ended(found, moment({"value_declines": {}}, exits=["order"])) >= {
        ("twice", "2026-04-02", "order"), ("twice", "2026-04-03", "order")
    }  # fmt: skip


def test_an_anniversary_is_the_same_day_of_a_later_year(spark: SparkSession) -> None:
    first = [
        ("two", "2024-04-02"),
        ("today", "2026-04-02"),
        ("leap", "2024-02-29"),
        ("may", "2024-05-02"),
    ]
    found = evidence(spark, first=first)
    one = moment({"anniversary": {}})
    assert triggered(found, one) == {("two", "2026-04-02")}
    winter = list_triggers(found, [one], since={"m": date(2025, 12, 31)}, until=date(2026, 2, 28))
    assert [(r["person_id"], str(r["triggered_on"])) for r in winter.collect()] == [
        ("leap", "2026-02-28")
    ]


def test_audiences_are_those_of_the_day_of_the_trigger(spark: SparkSession) -> None:
    moves = [
        ("vip", "ann", "enter", "2026-01-01"),
        ("vip", "bob", "enter", "2026-04-02"),
        ("vip", "cat", "enter", "2026-01-01"),
        ("vip", "cat", "exit", "2026-03-01"),
        ("vip", "dan", "enter", "2026-01-01"),
        ("angry", "dan", "enter", "2026-02-01"),
    ]
    people = ("ann", "bob", "cat", "dan")
    found = evidence(
        spark, moves=moves, happenings=[(p, "visit", "2026-03-31 12:00:00") for p in people]
    )
    visit = {"happened": {"type": "visit"}}
    assert triggered(found, moment(visit, audiences=["vip"], excluded_audiences=["angry"])) == {
        ("ann", "2026-04-01")
    }  # fmt: skip
    assert triggered(found, moment(visit, excluded_audiences=["angry"])) == {
        (name, "2026-04-01") for name in ("ann", "bob", "cat")
    }


def test_entering_an_audience_triggers_and_leaving_all_of_them_ends(spark: SparkSession) -> None:
    moves = [
        ("vip", "ann", "enter", "2026-04-01"),
        ("vip", "ann", "exit", "2026-04-03"),
        ("gold", "ann", "enter", "2026-04-02"),
        ("vip", "bob", "enter", "2026-02-01"),
        ("vip", "bob", "exit", "2026-04-02"),
    ]
    one = moment({"entered_audience": {"id": "vip"}}, exits=["left_audience"])
    found = evidence(spark, moves=moves)
    assert triggered(found, one) == {("ann", "2026-04-01")}
    assert ended(found, one) == {
        ("ann", "2026-04-03", "left_audience"),
        ("bob", "2026-04-02", "left_audience"),
    }
    both = moment({"value_declines": {}}, audiences=["vip", "gold"], exits=["left_audience"])
    assert ended(found, both) == {("bob", "2026-04-02", "left_audience")}, "ann is still in gold"


@pytest.mark.parametrize(
    ("ordered_at", "abandoned"),
    [
        (None, True),
        ("2026-04-01 09:00:00", True),
        ("2026-04-01 18:00:00", False),
        ("2026-04-02 08:00:00", True),
    ],
)
def test_a_cart_that_is_ordered_later_that_day_is_not_abandoned(
    spark: SparkSession, ordered_at: str | None, abandoned: bool
) -> None:
    visit = {
        "session_id": "s",
        "person_id": "ann",
        "channel": "web",
        "events": 1,
        "is_cart_abandoned": True,
    }
    visit |= {"started_at": "2026-04-01 10:00:00", "ended_at": "2026-04-01 10:20:00"}
    order = {"order_id": "o", "person_id": "ann", "ordered_at": ordered_at, "is_purchase": True}
    orders: DataFrame = ORDER.rows(spark, [order] if ordered_at else [])
    found = list_abandoned_carts(SESSION.rows(spark, [visit]), orders)
    assert (found.count() == 1) is abandoned
