"""Sessions that systems name, and those that follow from the gaps between events."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from clvspark.history.interactions import build_interactions
from clvspark.history.orders import attach_person
from clvspark.history.sessions import assign_sessions, build_sessions
from clvspark.history.tables import INTERACTION, SESSION
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse.contract import verify_contract
from clvspark.sources.tables import EVENT, SURVEY_RESPONSE


def event(name: str, kind: str, time: str, record: str | None = "1", **more: object) -> dict:
    return {
        "event_id": f"web:{name}", "event_type": kind, "source_system": "web", "source_record_id": record,
        "occurred_at": f"2026-03-02 {time}", "channel": "web", **more,
    }  # fmt: skip


def links_to(spark: SparkSession, **persons: str) -> DataFrame:
    return PERSON_LINK.rows(
        spark,
        [
            {"source_system": "web", "source_record_id": record.strip("_"), "valid_from": "2026-01-01",
             "person_id": person, "reason": "match", "probability": 1, "recorded_at": "2026-01-01 06:00:00"}
            for record, person in persons.items()
        ],
    )  # fmt: skip


def touches_of(spark: SparkSession, events: list[dict], links: DataFrame) -> DataFrame:
    return assign_sessions(attach_person(EVENT.rows(spark, events), links), gap_minutes=30)


def shape(touches: DataFrame) -> dict[str, tuple[str | None, int, str]]:
    """Person, number of events, and what happened, by session."""
    sessions = SESSION.conform(build_sessions(touches))
    verify_contract(sessions, SESSION)
    flags = {"has_cart": "cart", "has_checkout": "checkout", "has_order": "order"}
    return {
        row["session_id"]: (
            row["person_id"],
            row["events"],
            " ".join([*(word for name, word in flags.items() if row[name]), *["abandoned"] * row["is_cart_abandoned"]]),
        )
        for row in sessions.collect()
    }  # fmt: skip


ORDER = {"order_id": "web:o", "net_revenue": 5}


def test_a_pause_of_exactly_thirty_minutes_begins_another_session(spark: SparkSession) -> None:
    events = [
        event("a", "view", "10:00:00"),
        event("b", "cart", "10:29:59.999999"),
        event("c", "view", "10:59:59.999999"),
        event("d", "checkout", "11:00:00"),
        event("e", "order", "11:05:00", **ORDER),
        # Elsewhere and somebody else.
        event("f", "app_open", "10:10:00", channel="app"),
        event("g", "view", "10:10:00", record="2"),
    ]
    assert shape(touches_of(spark, events, links_to(spark, _1="p1"))) == {
        "gap:web:a": ("p1", 2, "cart abandoned"),
        "gap:web:c": ("p1", 3, "checkout order"),
        "gap:web:f": ("p1", 1, ""),
        "gap:web:g": (None, 1, ""),
    }


def test_sessions_that_systems_name_are_taken_as_they_are(spark: SparkSession) -> None:
    events = [
        # Who signs in during a visit is whose visit it was.
        event("a", "view", "10:00:00", record=None, session_id="s"),
        event("b", "cart", "12:00:00", record=None, session_id="s"),
        event("c", "order", "15:00:00", session_id="s", **ORDER),
        # Another system counts its sessions, too.
        {**event("d", "visit", "10:00:00", session_id="s"), "event_id": "app:d"},
        event("e", "view", "10:00:00", record=None),
        event("f", "email_opened", "10:00:00"),
        event("g", "order", "10:00:00", channel="shop", store_id="S1", order_id="web:2", net_revenue=1),
        event("h", "refund", "10:00:00", session_id="t", order_id="web:2", net_revenue=-1),
    ]  # fmt: skip
    touches = touches_of(spark, events, links_to(spark, _1="p1"))
    assert shape(touches) == {
        "web:s": ("p1", 3, "cart order"),
        "app:s": ("p1", 1, ""),
    }
    interactions = {
        row["event_id"]: row["session_id"] for row in build_interactions(touches).collect()
    }
    assert interactions == {"app:d": "app:s", "web:f": None}


def test_a_session_becomes_that_of_a_person_once_their_device_is_resolved(
    spark: SparkSession,
) -> None:
    events = [
        event("a", "view", "10:00:00", record="device"),
        event("b", "cart", "10:10:00", record="device"),
        event("c", "view", "10:30:00", record="account"),
    ]
    before = touches_of(spark, events, links_to(spark, account="p1"))
    assert shape(before) == {
        "gap:web:a": (None, 2, "cart abandoned"),
        "gap:web:c": ("p1", 1, ""),
    }
    after = touches_of(spark, events, links_to(spark, account="p1", device="p1"))
    assert shape(after) == {"gap:web:a": ("p1", 3, "cart abandoned")}


def test_interactions_say_what_was_seen_and_answered(spark: SparkSession) -> None:
    links = links_to(spark, _1="p1")
    events = [
        event("a", "view", "10:00:00", product_id="tea"),
        event("b", "chat", "11:00:00", channel="service"),
        event("c", "order", "10:01:00", **ORDER),
    ]
    said = {"source_system": "web", "answered_at": "2026-03-03", "score": 9}
    answers = [
        {**said, "response_id": "survey:1", "source_record_id": "1"},
        {**said, "response_id": "survey:2", "source_record_id": "unknown", "channel": "web"},
    ]
    people = attach_person(SURVEY_RESPONSE.rows(spark, answers), links)
    found = INTERACTION.conform(build_interactions(touches_of(spark, events, links), people))
    verify_contract(found, INTERACTION)
    names = ("interaction_type", "channel", "session_id", "product_id", "source_system", "score")
    assert {row["event_id"]: tuple(row[name] for name in names) for row in found.collect()} == {
        "web:a": ("view", "web", "gap:web:a", "tea", "web", None),
        "web:b": ("chat", "service", None, None, "web", None),
        "survey:survey:1": ("survey_answer", "survey", None, None, "web", 9),
    }
