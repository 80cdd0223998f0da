"""Who is on which list: members of audiences, steps of journeys that are under way, offers of the day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from clvspark.activation.members import (
    list_audience_members,
    list_offer_members,
    list_step_members,
)
from clvspark.audiences.decisions.tables import DECISION
from clvspark.audiences.moments.tables import JOURNEY, JOURNEY_STEP
from clvspark.audiences.tables import MEMBERSHIP

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)


def listed(members: DataFrame) -> set[tuple[str, str, str | None]]:
    return {(row["audience_id"], row["person_id"], row["channel"]) for row in members.collect()}


def journey(name: str, person: str, *, ended_on: date | None = None) -> dict[str, Any]:
    return {
        "journey_id": name, "moment_id": "decline", "version": 1, "person_id": person, "entered_on": APRIL,
        "ends_on": MAY, "ended_on": ended_on, "end_reason": "order" if ended_on else None,
    }  # fmt: skip


def step(name: str, person: str, *, status: str = "sent", on: date = APRIL) -> dict[str, Any]:
    return {
        "journey_step_id": f"{name} {status} {on}", "journey_id": name, "moment_id": "decline", "step_id": "hello",
        "step_number": 1, "person_id": person, "channel": "email", "message": "hello", "due_on": on, "status": status,
        "reason": None if status == "sent" else "capped", "contacted_on": on if status == "sent" else None,
        "decided_on": on,
    }  # fmt: skip


def decision(person: str, offer: str, channel: str | None, *, on: date = APRIL) -> dict[str, Any]:
    return {
        "decision_id": f"{person} {on}", "person_id": person, "as_of_date": on, "decision_point": "retention",
        "context": "all", "offer_id": offer, "channel": channel, "ranking": "learning",
        "expected_incremental_margin": 1.0, "propensity": 0.5, "posterior_id": "p", "reasons": [], "is_fallback": False,
    }  # fmt: skip


def test_members_of_an_audience_are_told_on_whatever_channel(spark: SparkSession) -> None:
    rows = [
        {"audience_id": "top", "version": 1, "qualified_on": APRIL, "person_id": person, "status": status}
        for person, status in (("ann", "realized"), ("bob", "exited"))
    ]  # fmt: skip
    found = list_audience_members(MEMBERSHIP.rows(spark, rows))
    assert listed(found) == {("top", "ann", None)}


def test_whoever_was_sent_a_step_is_on_its_list_until_the_journey_ends(spark: SparkSession) -> None:
    journeys = JOURNEY.rows(
        spark,
        [journey("j1", "ann"), journey("j2", "bob", ended_on=date(2026, 4, 3)), journey("j3", "cat")],
    )  # fmt: skip
    steps = JOURNEY_STEP.rows(
        spark,
        [step("j1", "who ann was"), step("j2", "bob"), step("j3", "cat", status="left_out"), step("j1", "ann", on=MAY)],
    )  # fmt: skip
    at_first = listed(list_step_members(steps, journeys, as_of=APRIL))
    later = listed(list_step_members(steps, journeys, as_of=date(2026, 4, 3)))

    assert at_first == {("decline.hello", "ann", "email"), ("decline.hello", "bob", "email")}
    assert later == {("decline.hello", "ann", "email")}, "bob has bought; cat was sent nothing"


def test_a_last_step_that_was_sent_late_is_told_on_its_day(spark: SparkSession) -> None:
    done = {"ended_on": MAY, "end_reason": "completed"}
    journeys = JOURNEY.rows(spark, [{**journey("j1", "ann"), **done}])
    steps = JOURNEY_STEP.rows(spark, [step("j1", "ann", on=MAY)])
    the_day_after = MAY + timedelta(days=1)

    assert listed(list_step_members(steps, journeys, as_of=MAY)) == {("decline.hello", "ann", "email")}  # fmt: skip
    assert listed(list_step_members(steps, journeys, as_of=the_day_after)) == set()


def test_an_offer_is_open_on_its_day_and_doing_nothing_is_no_list(spark: SparkSession) -> None:
    decisions = DECISION.rows(
        spark,
        [
            decision("ann", "ten_percent", "email"),
            decision("bob", "none", None),
            decision("cat", "ten_percent", "sms", on=MAY),
        ],
    )
    assert listed(list_offer_members(decisions, as_of=APRIL)) == {
        ("retention.ten_percent", "ann", "email")
    }
    assert listed(list_offer_members(decisions, as_of=MAY)) == {
        ("retention.ten_percent", "cat", "sms")
    }
