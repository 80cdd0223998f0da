"""The most restrictive record of a person holds; no statement is no consent."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from clvspark.identity.tables import PERSON_LINK
from clvspark.privacy.consent import consent_by_channel, gather_statements, resolve_consent
from clvspark.privacy.identifiers import hash_identifier
from clvspark.sources.tables import CONSENT, EVENT, UNREAD_CONSENT

CHANNELS = ["email", "push", "sms"]
Statement = tuple[str, str, str, str]  # record, channel, value, day of April


PERSONS = {"1": "ann", "2": "ann", "3": "bob"}


def wide(
    spark: SparkSession,
    *statements: Statement,
    purpose: str = "marketing",
    persons: dict[str, str] = PERSONS,
    later_refusals: bool = False,
) -> dict[str, Row]:
    rows = [
        {
            "consent_id": n, "source_system": "s", "source_record_id": record, "channel": channel,
            "purpose": purpose, "val": val, "recorded_at": f"2026-04-{day} 12:00:00",
        }
        for n, (record, channel, val, day) in enumerate(statements)
    ]  # fmt: skip
    links = [
        {"source_system": "s", "source_record_id": record, "person_id": person}
        for record, person in persons.items()
    ]
    resolved = resolve_consent(
        CONSENT.rows(spark, rows),
        PERSON_LINK.rows(spark, links),
        purpose="marketing",
        until=F.lit(datetime(2026, 4, 10, tzinfo=UTC)),
        later_refusals=later_refusals,
    )
    return {row["person_id"]: row for row in consent_by_channel(resolved, CHANNELS).collect()}


@pytest.mark.parametrize(
    ("statements", "email"),
    [
        ([("1", "email", "y", "01")], True),
        ([("1", "email", "y", "01"), ("2", "email", "n", "02")], False),
        ([("1", "email", "n", "02"), ("2", "email", "y", "03")], False),
        ([("1", "email", "y", "01"), ("2", "email", "u", "01")], False),
        ([("1", "email", "y", "01"), ("2", "email", "p", "01")], False),
        ([("1", "email", "n", "01"), ("1", "email", "y", "02")], True),
        ([("1", "email", "y", "01"), ("1", "email", "n", "02")], False),
        ([("1", "email", "y", "01"), ("1", "email", "n", "01")], False),
        ([("1", "any", "y", "01")], True),
        ([("1", "any", "y", "01"), ("1", "email", "n", "01")], False),
        ([("1", "any", "y", "01"), ("1", "email", "u", "01")], False),
        ([("1", "any", "n", "01"), ("1", "email", "y", "02")], False),
        ([("1", "any", "u", "01"), ("1", "email", "y", "01")], True),
        ([("1", "email", "y", "01"), ("1", "email", "n", "10")], True),
    ],
    ids=[
        "yes", "no-of-another-record", "no-though-older-than-yes-of-another", "unknown-of-another",
        "pending-of-another", "newest-yes", "newest-no", "no-at-the-same-instant", "yes-to-any",
        "channel-no-beats-any-yes", "channel-unknown-beats-any-yes", "any-no-beats-channel-yes",
        "any-unknown", "after-the-date",
    ],
)  # fmt: skip
def test_consent_to_email(spark: SparkSession, statements: list[Statement], email: bool) -> None:
    assert wide(spark, *statements)["ann"]["consent_email"] is email


def test_who_unsubscribes_has_refused_marketing_by_email(spark: SparkSession) -> None:
    said = {"channel": "any", "purpose": "marketing", "val": "y", "recorded_at": "2026-04-01 00:00:00"}  # fmt: skip
    records = [{"source_system": "s", "source_record_id": name} for name in ("ann", "bob", "cat")]
    consent = [{**record, **said, "consent_id": record["source_record_id"]} for record in records]
    again = {**consent[1], "consent_id": "again", "channel": "email", "recorded_at": "2026-04-04 00:00:00"}  # fmt: skip
    event = {"event_type": "email_unsubscribed", "channel": "email", "occurred_at": "2026-04-03 00:00:00"}  # fmt: skip
    events = [{**records[n], **event, "event_id": str(n)} for n in (0, 1)]
    events.append({**records[2], **event, "event_id": "c", "event_type": "email_opened"})
    events.append({**event, "event_id": "nobody", "source_system": "s"})
    statements = gather_statements(
        CONSENT.rows(spark, [*consent, again]),
        EVENT.rows(spark, events),
        UNREAD_CONSENT.rows(spark, []),
    )
    link = {"valid_from": date(2026, 4, 1), "recorded_at": "2026-04-01 06:00:00"}
    link |= {"reason": "single", "probability": 1}
    links = [{**record, **link, "person_id": record["source_record_id"]} for record in records]
    until = F.lit(datetime(2026, 4, 10, tzinfo=UTC))
    resolved = resolve_consent(
        statements, PERSON_LINK.rows(spark, links), purpose="marketing", until=until
    )
    found = {row["person_id"]: row for row in consent_by_channel(resolved, CHANNELS).collect()}
    assert {name: row["consent_email"] for name, row in found.items()} == {
        "ann": False,
        "bob": True,  # has said yes again
        "cat": True,
    }
    assert found["ann"]["consent_sms"], "nothing was said of other channels"


def test_who_unsubscribes_of_a_channel_has_refused_that_one(spark: SparkSession) -> None:
    record = {"source_system": "s", "source_record_id": "ann"}
    said = {"channel": "any", "purpose": "marketing", "val": "y", "recorded_at": "2026-04-01 00:00:00"}  # fmt: skip
    at = {"channel": "app", "occurred_at": "2026-04-03 00:00:00"}
    for refused in CHANNELS:
        event = {**record, **at, "event_id": "1", "event_type": f"{refused}_unsubscribed"}
        statements = gather_statements(
            CONSENT.rows(spark, [{**record, **said, "consent_id": "1"}]),
            EVENT.rows(spark, [event]),
            UNREAD_CONSENT.rows(spark, []),
        )
        resolved = resolve_consent(
            statements,
            PERSON_LINK.rows(spark, [{**record, "person_id": "ann"}]),
            purpose="marketing",
            until=F.lit(datetime(2026, 4, 10, tzinfo=UTC)),
        )
        (found,) = consent_by_channel(resolved, CHANNELS).collect()
        assert [name for name in CHANNELS if not found[f"consent_{name}"]] == [refused]


def test_what_could_not_be_read_is_a_refusal(spark: SparkSession) -> None:
    said = {"channel": "email", "purpose": "Marketing ", "val": "y", "recorded_at": "2026-04-05 00:00:00"}  # fmt: skip
    records = [{"source_system": "s", "source_record_id": name} for name in ("ann", "bob", "cat")]
    consent = [{**record, **said, "consent_id": record["source_record_id"]} for record in records]
    unread = [
        {**records[0], "channel": "any"},
        {**records[1], "channel": "email", "recorded_at": "2026-04-04 00:00:00"},
        {**records[2], "channel": "email", "recorded_at": "2026-04-06 00:00:00"},
    ]
    statements = gather_statements(
        CONSENT.rows(spark, consent), EVENT.rows(spark, []), UNREAD_CONSENT.rows(spark, unread)
    )
    links = [{**record, "person_id": record["source_record_id"]} for record in records]
    resolved = resolve_consent(
        statements,
        PERSON_LINK.rows(spark, links),
        purpose="marketing",
        until=F.lit(datetime(2026, 4, 10, tzinfo=UTC)),
    )
    found = {row["person_id"]: row for row in consent_by_channel(resolved, CHANNELS).collect()}
    assert {name: row["consent_email"] for name, row in found.items()} == {
        "ann": False,
        "bob": True,  # has said yes later
        "cat": False,
    }


def test_a_channel_that_was_never_spoken_of_is_not_consented(spark: SparkSession) -> None:
    found = wide(spark, ("1", "email", "y", "01"), ("3", "sms", "y", "01"))
    assert (found["ann"]["consent_email"], found["ann"]["consent_sms"]) == (True, False)
    assert (found["bob"]["consent_email"], found["bob"]["consent_sms"]) == (False, True)


def test_consent_to_another_purpose_is_no_consent_to_marketing(spark: SparkSession) -> None:
    assert wide(spark, ("1", "email", "y", "01"), purpose="research") == {}


def test_identifiers_are_hashed_once(spark: SparkSession) -> None:
    digest = (
        "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"  # of user@example.com
    )
    rows = spark.createDataFrame(
        [(" User@Example.com ",), (digest.upper(),), (None,)], "email string"
    )
    assert [row[0] for row in rows.select(hash_identifier(F.col("email"))).collect()] == [
        digest,
        digest,
        None,
    ]


def test_when_persons_merge_the_most_restrictive_of_all_their_records_holds(
    spark: SparkSession,
) -> None:
    statements = [
        ("1", "email", "y", "05"), ("1", "sms", "y", "05"), ("3", "email", "n", "01"), ("3", "push", "y", "01"),
    ]  # fmt: skip
    apart = wide(spark, *statements)
    assert apart["ann"]["consent_email"]
    assert not apart["bob"]["consent_email"]
    merged = wide(spark, *statements, persons={"1": "ann", "2": "ann", "3": "ann"})
    assert set(merged) == {"ann"}
    assert [merged["ann"][f"consent_{name}"] for name in CHANNELS] == [False, True, True]


def test_a_refusal_may_count_as_soon_as_it_is_known_a_yes_never(spark: SparkSession) -> None:
    said = [
        ("1", "email", "y", "01"),
        ("1", "email", "n", "20"),
        ("3", "email", "n", "01"),
        ("3", "email", "y", "20"),
    ]
    for later, allowed in ((False, True), (True, False)):
        found = wide(spark, *said, later_refusals=later)
        assert (found["ann"]["consent_email"], found["bob"]["consent_email"]) == (allowed, False)
