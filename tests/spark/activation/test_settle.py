"""What becomes of instructions when their lines are accepted, rejected, fail, or wait."""

from __future__ import annotations

from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from clvspark.activation.config import FileDestination
from clvspark.activation.settle import (
    bury_dead,
    list_snapshot,
    match_lines,
    revive_dead,
    settle_instructions,
)
from clvspark.activation.tables import DEAD_LETTER, OUTBOX, SNAPSHOT

APRIL = date(2026, 4, 1)
TOOL = FileDestination.model_validate(
    {"id": "tool", "format": "csv", "channel": "email", "identifier": "email", "hashed": False, "audiences": ["top"]}
)  # fmt: skip


def outbox(spark: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    base = {
        "destination_id": "tool", "audience_id": "top", "sequence": 1, "operation": "add", "status": "pending",
        "created_on": APRIL,
    }  # fmt: skip
    return OUTBOX.rows(spark, [base | row for row in rows])


def row(name: str, **change: Any) -> dict[str, Any]:
    return {"outbox_id": f"o_{name}", "person_id": name, "address": f"{name}@x.org"} | change


def test_each_outcome_has_its_status_and_a_failure_counts(spark: SparkSession) -> None:
    pending = outbox(
        spark,
        row("ann"), row("bob"), row("cat", attempts=2), row("dan", attempts=1), row("eve"),
        row("fay", address="ANN@x.org "), row("gus", operation="remove", sequence=2),
        row("hal", person_id=None, operation="remove"), row("ida", address=None),
    )  # fmt: skip
    lines = spark.createDataFrame(
        [
            ("top", "digest", "add", "ann@x.org", "o_ann"),
            *(("top", f"o_{n}", "add", f"{n}@x.org", f"o_{n}") for n in ("bob", "cat", "dan", "eve")),
            ("top", "o_hal", "remove", "hal@x.org", "o_hal"),
        ],
        "audience_id string, outbox_id string, operation string, _entry string, _outbox_id string",
    )  # fmt: skip
    outcomes = spark.createDataFrame(
        [("digest", "accepted", None), ("o_bob", "rejected", "http_422"), ("o_cat", "failed", "timeout"),
         ("o_dan", "failed", "timeout"), ("o_eve", "waiting", None), ("o_hal", "accepted", None)],
        "outbox_id string, outcome string, error string",
    )  # fmt: skip
    matched = OUTBOX.conform(match_lines(pending, lines, TOOL))
    settled = settle_instructions(matched, outcomes, as_of=APRIL, batch=2, max_attempts=3)
    settled = settled.localCheckpoint()
    found = {r["outbox_id"][2:]: r for r in settled.collect()}
    assert {name: (r["status"], r["attempts"]) for name, r in found.items()} == {
        "ann": ("delivered", 0), "fay": ("delivered", 0), "bob": ("dead", 1), "cat": ("dead", 3),
        "dan": ("pending", 2), "eve": ("pending", 0), "gus": ("delivered", 0), "hal": ("delivered", 0),
        "ida": ("delivered", 0),
    }  # fmt: skip
    assert (found["ann"]["entry_operation"], found["fay"]["entry_operation"]) == ("add", None)
    assert found["fay"]["line_id"] == found["ann"]["line_id"] == "digest"
    assert (found["dan"]["batch"], found["dan"]["delivered_on"]) == (None, None)
    assert found["hal"]["address"] is None, "of an erased person nothing is kept"
    assert found["eve"]["address"] == "eve@x.org"

    dead = DEAD_LETTER.conform(bury_dead(settled, as_of=APRIL)).collect()
    assert {(r["person_id"], r["error"], r["attempts"]) for r in dead} == {
        ("bob", "http_422", 1), ("cat", "timeout", 3),
    }  # fmt: skip
    revived = revive_dead(settled.drop("_error"), "tool").collect()
    assert {(r["person_id"], r["status"], r["attempts"]) for r in revived} == {
        ("bob", "pending", 0), ("cat", "pending", 0),
    }  # fmt: skip
    assert revive_dead(settled.drop("_error"), "other").isEmpty()


def test_out_of_reach_leaves_everything_as_it_was(spark: SparkSession) -> None:
    pending = outbox(spark, row("ann"), row("gus", operation="remove"))
    lines = spark.createDataFrame(
        [("top", "o_ann", "add", "ann@x.org", "o_ann")],
        "audience_id string, outbox_id string, operation string, _entry string, _outbox_id string",
    )
    outcomes = spark.createDataFrame(
        [("o_ann", "waiting", "DeliveryError")], "outbox_id string, outcome string, error string"
    )
    settled = settle_instructions(
        match_lines(pending, lines, TOOL), outcomes, as_of=APRIL, batch=1, max_attempts=1, unmatched="waiting",
    )  # fmt: skip
    assert {(r["status"], r["attempts"]) for r in settled.collect()} == {("pending", 0)}


def test_a_snapshot_is_what_was_confirmed(spark: SparkSession) -> None:
    on = {"status": "delivered", "delivered_on": APRIL}
    rows = outbox(
        spark,
        row("ann", **on, line_id="digest"),
        row("bob", **on), row("bob", outbox_id="o2", sequence=2, operation="remove"),
        row("cat", **on), row("cat", outbox_id="o3", sequence=2, operation="remove", **on),
        row("dan", status="dead"), row("eve"),
    )  # fmt: skip
    held = SNAPSHOT.conform(list_snapshot(rows)).collect()
    assert {(r["person_id"], r["line_id"], r["since"]) for r in held} == {
        ("ann", "digest", APRIL), ("bob", "o_bob", APRIL),
    }  # fmt: skip
    assert all(len(r["address_sha256"]) == 64 for r in held)
