"""Refusals that come within the day: of which purpose, from which list, and nobody else's."""

from __future__ import annotations

from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.activation.config import ActivationConfig
from clvspark.activation.outbox import write_instructions
from clvspark.activation.tables import OUTBOX
from clvspark.lakehouse import Lakehouse
from clvspark.live.tell import Refusals, list_refused, take_off_lists
from clvspark.sources.tables import CONSENT, EVENT, UNREAD_CONSENT

YESTERDAY, TODAY = date(2026, 4, 1), date(2026, 4, 2)
MAILER = {
    "id": "mailer", "kind": "file", "format": "csv", "channel": "email", "identifier": "email", "hashed": False,
    "audiences": ["top", "cart.letter"],
}  # fmt: skip
PROFILER = {**MAILER, "id": "profiler", "purposes": ["profiling"], "audiences": ["top"]}
CONFIG = ActivationConfig.model_validate({"exports": "exports", "destinations": [MAILER, PROFILER]})
PEOPLE = ("ann", "bob", "cat")
ALLOWED = ("consent_email", "consent_email_profiling", "consent_sms")


def contacts(spark: SparkSession) -> DataFrame:
    """Everybody allows everything, and shares their address with nobody."""
    rows = [(name, f"{name}@example.com") for name in PEOPLE]
    known = spark.createDataFrame(rows, "person_id string, email string")
    yes = [*ALLOWED, "consent_push", "email_consent_email", "email_consent_email_profiling"]
    columns: dict[str, Any] = dict.fromkeys(yes, F.lit(True))
    return known.withColumns({**columns, "split_group": F.lit("treatment")})


def refuse(spark: SparkSession, *rows: tuple[str, str, str | None]) -> Refusals:
    schema = "person_id string, channel string, purpose string"
    return Refusals(spark.createDataFrame(list(rows), schema))


def told(lake: Lakehouse) -> list[tuple[str, ...]]:
    rows = lake.read(OUTBOX).where("operation = 'remove'")
    columns = ("destination_id", "audience_id", "person_id", "status")
    return sorted(tuple(row) for row in rows.select(*columns).collect())


def test_a_no_is_to_its_purpose_and_one_without_a_purpose_to_all(spark: SparkSession) -> None:
    refusals = refuse(
        spark, ("ann", "email", "profiling"), ("bob", "email", "marketing"), ("cat", "email", None)
    )
    rows = refusals.lay_over(contacts(spark)).select("person_id", *ALLOWED).collect()
    assert {name: tuple(may) for name, *may in rows} == {
        "ann": (True, False, True),
        "bob": (False, True, True),
        "cat": (False, False, True),
    }


def test_refusals_are_found_wherever_they_are_said(spark: SparkSession) -> None:
    row = {"source_system": "s", "purpose": " Profiling", "recorded_at": TODAY}
    said = [
        {**row, "consent_id": f"{n}", "source_record_id": n, "channel": "any", "val": val}
        for n, val in (("1", "n"), ("2", "y"))
    ]
    unread = {"source_system": "s", "source_record_id": "3", "channel": "sms"}
    event = {"event_id": "e", "source_system": "s", "occurred_at": TODAY, "channel": "email"}
    event |= {"event_type": "email_unsubscribed", "source_record_id": "4"}
    found = list_refused(
        EVENT.rows(spark, [event]),
        {CONSENT: CONSENT.rows(spark, said), UNREAD_CONSENT: UNREAD_CONSENT.rows(spark, [unread])},
    )
    assert sorted((r["source_record_id"], r["channel"], r["purpose"] or "") for r in found.collect()) == [
        ("1", "email", "profiling"),
        ("1", "push", "profiling"),
        ("1", "sms", "profiling"),
        ("3", "sms", ""),
        ("4", "email", "marketing"),
    ]  # fmt: skip


def test_who_refuses_leaves_every_list_that_asks_for_it_and_nobody_comes_on_one(
    lake: Lakehouse,
) -> None:
    spark = lake.spark
    lists = [("mailer", "top"), ("mailer", "cart.letter"), ("profiler", "top"), ("gone", "top")]
    held = [(*where, name, f"{name}@example.com") for where in lists for name in ("ann", "bob")]
    eligible = spark.createDataFrame(
        held, "destination_id string, audience_id string, person_id string, address string"
    )
    first = write_instructions(OUTBOX.rows(spark, []), eligible, as_of=YESTERDAY)
    lake.overwrite(OUTBOX, first)
    known = contacts(spark)
    assert take_off_lists(lake, CONFIG, known, TODAY) == 0

    refused = refuse(spark, ("ann", "email", "marketing"), ("cat", "email", None)).lay_over(known)
    nobody, ann = (spark.createDataFrame([(n,)], "person_id string") for n in ("bob", "ann"))
    assert take_off_lists(lake, CONFIG, refused, TODAY, nobody) == 0
    assert take_off_lists(lake, CONFIG, refused, TODAY, ann) == 2
    assert told(lake) == [
        ("mailer", "cart.letter", "ann", "pending"),
        ("mailer", "top", "ann", "pending"),
    ], "the profiler asks for another purpose, the other destination is not configured"
    assert take_off_lists(lake, CONFIG, refused, TODAY) == 0, "once"
