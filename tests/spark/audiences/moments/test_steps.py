"""Steps that are due are sent once, within consent and the caps of all campaigns."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clvspark.audiences.decisions.config import FrequencyCap
from clvspark.audiences.decisions.contacts import count_contacts, gather_contacts
from clvspark.audiences.decisions.tables import DECISION
from clvspark.audiences.moments.steps import decide_steps
from clvspark.audiences.moments.tables import JOURNEY_STEP
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse.contract import verify_contract

APRIL = date(2026, 4, 8)
DUE = (
    "journey_step_id string, journey_id string, moment_id string, person_id string, end_reason string, "
    "step_number int, step_id string, channel string, message string, late_days int, place int, due_on date"
)


def due(name: str, person: str, channel: str = "email", place: int = 0, **more: Any) -> tuple:
    given = {"end_reason": None, "due_on": APRIL, "late_days": 2, **more}
    return (
        name, f"j-{name}", "m", person, given["end_reason"], 1, name, channel, "message",
        given["late_days"], place, given["due_on"],
    )  # fmt: skip


def decide(
    spark: SparkSession,
    steps: list[tuple],
    caps: list[dict[str, Any]],
    *,
    before: list[tuple[str, str, str]] = (),  # type: ignore[assignment]
    consents: str = "ann bob cat",
) -> dict[str, str]:
    rules = [FrequencyCap.model_validate(cap) for cap in caps]
    fact = {"status": "sent", "step_number": 1}
    sent = [
        {**fact, "journey_step_id": str(n), "person_id": p, "channel": c, "contacted_on": on}
        for n, (p, c, on) in enumerate(before)
    ]
    contacts = gather_contacts(DECISION.rows(spark, []), JOURNEY_STEP.rows(spark, sent))
    counts = count_contacts(contacts, ALIAS.rows(spark, []), rules, as_of=APRIL)
    agreed = [(name, True, True, name != "cat") for name in consents.split()]
    consent = spark.createDataFrame(
        agreed, "person_id string, consent_email boolean, consent_push boolean, consent_sms boolean"
    )
    found = JOURNEY_STEP.conform(
        decide_steps(spark.createDataFrame(steps, DUE), consent, counts, rules, as_of=APRIL)
    )
    verify_contract(found, JOURNEY_STEP)
    return {row["step_id"]: row["reason"] or row["status"] for row in found.collect()}


@pytest.mark.parametrize("caps", [[], [{"contacts": 5, "within_days": 7}]])
def test_a_step_is_sent_or_has_a_reason(spark: SparkSession, caps: list[dict[str, Any]]) -> None:
    found = decide(
        spark,
        [
            due("now", "ann"),
            due("late", "ann", due_on=date(2026, 4, 6)),
            due("too late", "ann", due_on=date(2026, 4, 5)),
            due("over", "ann", due_on=date(2026, 4, 7), end_reason="order"),
            due("planned", "ann", end_reason="completed"),
            due("unknown", "zoe"),
            due("refused", "cat", "sms"),
        ],
        caps,
    )
    assert found == {
        "now": "sent", "planned": "sent", "late": "sent", "too late": "too_late", "over": "ended",
        "unknown": "without_consent", "refused": "without_consent",
    }  # fmt: skip


def test_what_is_sent_on_the_same_day_counts_and_what_is_left_out_does_not(
    spark: SparkSession,
) -> None:
    caps = [
        {"contacts": 1, "within_days": 7, "channel": "email"},
        {"contacts": 2, "within_days": 7},
    ]
    found = decide(
        spark,
        [
            due("third", "ann", "sms", place=2),
            due("second", "ann", "email", place=1),
            due("first", "ann", "email", place=0),
            due("fourth", "ann", "push", place=3),
            due("week ago", "bob"),
            due("not yet", "cat"),
        ],
        caps,
        before=[("bob", "email", "2026-04-01"), ("cat", "email", "2026-04-02")],
    )
    assert found == {
        "first": "sent", "second": "capped", "third": "sent", "fourth": "capped",
        "week ago": "sent", "not yet": "capped",
    }  # fmt: skip


def test_contacts_of_decisions_and_of_whom_one_has_absorbed_count(spark: SparkSession) -> None:
    decision = {
        "decision_id": "d",
        "person_id": "ann",
        "as_of_date": "2026-04-07",
        "offer_id": "gift",
    }
    fields = dict.fromkeys(DECISION.names)
    made = [{**fields, **decision, "as_of_date": date(2026, 4, 7), "channel": "email"}]
    step = {"journey_step_id": "s", "person_id": "anna", "channel": "sms", "status": "sent"}
    steps = JOURNEY_STEP.rows(spark, [{**step, "contacted_on": "2026-04-06"}])
    aliases = ALIAS.rows(spark, [{"retired_id": "anna", "person_id": "ann"}])
    contacts = gather_contacts(DECISION.rows(spark, made), steps)
    caps = [
        FrequencyCap(contacts=1, within_days=7),
        FrequencyCap(contacts=1, within_days=7, channel="sms"),
    ]
    rows = count_contacts(contacts, aliases, caps, as_of=APRIL).collect()
    assert [tuple(row) for row in rows] == [("ann", 2, 1)]
