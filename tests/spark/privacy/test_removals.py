"""Which addresses a destination may hold of a person who is erased."""

from __future__ import annotations

from datetime import date

from pyspark.sql import SparkSession

from clvspark.activation.tables import OUTBOX
from clvspark.privacy.removals import find_adds_that_may_be_held

APRIL = date(2026, 4, 1)


def held(spark: SparkSession, *steps: str) -> set[str]:
    """Ids of the adds; a step is ``list person sequence operation status address``."""
    rows = []
    for step in steps:
        audience, person, sequence, operation, status, address = step.split()
        rows.append(
            {
                "outbox_id": f"{audience}{person}{sequence}", "destination_id": "tool", "audience_id": audience,
                "person_id": person, "sequence": sequence, "operation": operation, "status": status,
                "created_on": APRIL, "address": None if address == "-" else address,
            }
        )  # fmt: skip
    found = find_adds_that_may_be_held(OUTBOX.rows(spark, rows)).collect()
    return {row["outbox_id"] for row in found}


def test_an_address_that_was_told_is_held_until_its_removal_is_delivered(
    spark: SparkSession,
) -> None:
    found = held(
        spark,
        "on a 1 add delivered a@x",
        "off a 1 add delivered a@x",
        "off a 2 remove delivered a@x",
        "leaving a 1 add delivered a@x",
        "leaving a 2 remove pending a@x",
        "back a 1 add delivered a@x",
        "back a 2 remove delivered a@x",
        "back a 3 add delivered A@x",
    )
    assert found == {"ona1", "leavinga1", "backa3"}


def test_of_a_move_each_address_counts_by_itself(spark: SparkSession) -> None:
    moved = ("top a 1 add delivered old@x", "top a 2 remove {0} old@x", "top a 3 add {0} new@x")
    assert held(spark, *(step.format("delivered") for step in moved)) == {"topa3"}
    assert held(spark, *(step.format("pending") for step in moved)) == {"topa1", "topa3"}


def test_what_was_cancelled_or_has_no_address_was_never_told(spark: SparkSession) -> None:
    assert held(spark, "top a 1 add cancelled a@x", "low a 1 add delivered -") == set()


def test_persons_with_one_address_are_told_apart(spark: SparkSession) -> None:
    steps = ("top a 1 add delivered home@x", "top b 1 add delivered home@x")
    assert held(spark, *steps, "top b 2 remove delivered home@x") == {"topa1"}
