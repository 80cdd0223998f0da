"""The flagship moment on a tiny lakehouse: a decline starts a journey, an order ends it, no step is sent twice."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from support.retailer import buy, decline, enter_audience, write_people

from clvspark.audiences.decisions import stage as decisions
from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.decisions.tables import DECISION
from clvspark.audiences.moments import stage
from clvspark.audiences.moments.tables import JOURNEY, JOURNEY_STEP, MOMENT
from clvspark.lakehouse import Lakehouse, RunReport

START = date(2026, 4, 1)
STEPS = [
    {"id": "letter", "channel": "email", "message": "we_miss_you"},
    {"id": "text", "channel": "sms", "message": "offer", "wait_days": 3},
]
DECLINE: dict[str, Any] = {
    "id": "decline", "name": "Decline", "goal": {"measure": "residual_value"}, "steps": STEPS,
    "trigger": {"value_declines": {}}, "exits": ["order", "recovered"], "lasts_days": 10,
    "re_entry": {"after_days": 5},
}  # fmt: skip
WELCOME = {
    **DECLINE,
    "id": "welcome",
    "trigger": {"entered_audience": {"id": "vip"}},
    "exits": ["order"],
}
CONFIG = DecisionsConfig.model_validate(
    {"moments": [DECLINE, WELCOME], "caps": [{"contacts": 1, "within_days": 2, "channel": "email"}]}
)


def day(number: int) -> date:
    return START + timedelta(days=number)


def run(
    lake: Lakehouse, number: int, *, force: bool = False, config: DecisionsConfig = CONFIG
) -> RunReport:
    with lake.writing("moments"):
        lake.log.forget_everything()
        lake.log.force = force
        return stage.run(lake, config, day(number))


def journeys(lake: Lakehouse) -> list[tuple]:
    rows = lake.read(JOURNEY).orderBy("person_id", "moment_id").collect()
    return [
        (r["moment_id"], r["person_id"], (r["entered_on"] - START).days, r["ended_on"] and (r["ended_on"] - START).days,
         r["end_reason"])
        for r in rows
    ]  # fmt: skip


def steps(lake: Lakehouse) -> list[tuple]:
    rows = lake.read(JOURNEY_STEP).orderBy("decided_on", "person_id", "moment_id").collect()
    return [
        (r["moment_id"], r["person_id"], r["step_id"], (r["decided_on"] - START).days, r["reason"] or r["status"])
        for r in rows
    ]  # fmt: skip


@pytest.fixture
def shop(lake: Lakehouse) -> Lakehouse:
    write_people(lake, [day(n) for n in range(9)])
    decline(lake, "ann", day(0), day(0))
    decline(lake, "bob", day(0), day(0))
    enter_audience(lake, "vip", "ann", day(0))
    return lake


@pytest.mark.slow
def test_a_decline_starts_a_journey_that_an_order_ends(shop: Lakehouse) -> None:
    run(shop, 0)
    assert steps(shop) == [
        ("decline", "ann", "letter", 0, "sent"),
        ("welcome", "ann", "letter", 0, "capped"),
        ("decline", "bob", "letter", 0, "sent"),
    ]
    assert run(shop, 0).status == "unchanged"
    first = (journeys(shop), steps(shop))
    run(shop, 0, force=True)
    assert (journeys(shop), steps(shop)) == first, "a rerun of the date comes to the same"

    buy(shop, "ann", "2026-04-03 12:00:00")
    run(shop, 3)
    assert journeys(shop) == [
        ("decline", "ann", 0, 3, "order"),
        ("welcome", "ann", 0, 3, "order"),
        ("decline", "bob", 0, None, None),
    ]
    assert steps(shop)[3:] == [("decline", "bob", "text", 3, "sent")]

    decline(shop, "ann", day(8), day(8))
    decline(shop, "bob", day(8), None)
    run(shop, 8)
    assert journeys(shop) == [
        ("decline", "ann", 0, 3, "order"),
        ("decline", "ann", 8, None, None),
        ("welcome", "ann", 0, 3, "order"),
        ("decline", "bob", 0, 8, "recovered"),
    ]
    counts = ("active", "entered", "ended", "sent", "left_out")
    came = {
        (row["moment_id"], (row["as_of_date"] - START).days): tuple(row[name] for name in counts)
        for row in shop.read(MOMENT).collect()
    }
    assert came == {
        ("decline", 0): (2, 2, 0, 2, 0), ("welcome", 0): (1, 1, 0, 0, 1),
        ("decline", 3): (1, 0, 1, 1, 0), ("welcome", 3): (0, 0, 1, 0, 0),
        ("decline", 8): (1, 1, 1, 1, 0), ("welcome", 8): (0, 0, 0, 0, 0),
    }  # fmt: skip


@pytest.mark.slow
def test_an_order_that_becomes_known_late_ends_the_journey(shop: Lakehouse) -> None:
    run(shop, 0)
    run(shop, 2)
    # Of the first day, landed after the second: the day of the run before is past it.
    buy(shop, "ann", "2026-04-01 12:00:00")
    run(shop, 4)
    ended = {(moment, person): (on, why) for moment, person, _, on, why in journeys(shop)}
    assert ended["decline", "ann"] == (1, "order")
    assert ended["decline", "bob"] == (None, None)
    assert ("decline", "ann", "text", 4, "sent") not in steps(shop)


@pytest.mark.slow
def test_days_without_a_run_are_caught_up_with_and_time_goes_forward(shop: Lakehouse) -> None:
    run(shop, 0)
    run(shop, 6)
    assert steps(shop)[3:] == [
        ("decline", "ann", "text", 6, "sent"),
        ("welcome", "ann", "text", 6, "sent"),
        ("decline", "bob", "text", 6, "sent"),
    ]
    before = (journeys(shop), steps(shop))
    late = run(shop, 3)
    assert len(late.warnings) == 1
    assert "advanced to 2026-04-07" in late.warnings[0]
    assert (journeys(shop), steps(shop)) == before


@pytest.mark.slow
def test_contacts_of_moments_count_for_decisions(shop: Lakehouse) -> None:
    run(shop, 0)
    gift = {"id": "gift", "name": "Gift", "goal": "margin", "channels": ["email"], "margin": 50}
    given = {"offers": [gift], "points": [{"id": "daily", "ranking": "fixed"}]}
    config = DecisionsConfig.model_validate({**CONFIG.model_dump(), **given})
    with shop.writing("decide"):
        shop.log.forget_everything()
        decisions.run(shop, config, day(0))
    found = {r["person_id"]: (r["offer_id"], r["reasons"]) for r in shop.read(DECISION).collect()}
    assert {name: offer for name, (offer, _) in found.items()} == {
        "ann": "none", "bob": "none", "cat": "gift"
    }  # fmt: skip
    assert found["ann"][1][0]["reason"] == "capped"


def test_without_moments_there_is_nobody_on_a_journey(shop: Lakehouse) -> None:
    run(shop, 0, config=DecisionsConfig())
    assert not shop.exists(MOMENT)
    run(shop, 0)
    run(shop, 1, config=DecisionsConfig())
    assert {name for name, *_ in journeys(shop)} == {"decline", "welcome"}, "as they are"
