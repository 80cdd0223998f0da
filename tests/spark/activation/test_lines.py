"""Lines as platforms want them, and the keys under which they are sent."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from clvspark.activation.config import FileDestination
from clvspark.activation.lines import build_lines, show_lines

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
INSTRUCTION = (
    "audience_id string, outbox_id string, operation string, person_id string, address string"
)
HELD = "audience_id string, outbox_id string, person_id string, address string, status string"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def destination(**change: Any) -> FileDestination:
    given = {
        "id": "tool", "format": "jsonl", "channel": "email", "identifier": "email", "hashed": True,
        "audiences": ["top"],
    }  # fmt: skip
    return FileDestination.model_validate(given | change)


def build(
    spark: SparkSession,
    to: FileDestination,
    told: list[tuple[str, str, str, str]],
    held: list[tuple[str, str, str, str]] | None = None,
    as_of: date = APRIL,
) -> dict[str, dict[str, Any]]:
    """Lines by the address shown. In: id, operation, person, address; id, person, address, status."""
    if held is None:
        held = [(i, p, a, "pending") for i, o, p, a in told if o == "add"]
    frames: list[DataFrame] = [
        spark.createDataFrame([("top", *row) for row in rows], schema)
        for rows, schema in ((told, INSTRUCTION), (held, HELD))
    ]
    values = [("ann", 120.456, 1, "core"), ("bob", -3.0, 10, "lapsed"), ("eve", None, None, None)]
    contacts = spark.createDataFrame(
        values, "person_id string, clv double, clv_decile int, lifecycle_stage string"
    )
    lines = show_lines(build_lines(*frames, contacts, to, as_of=as_of)).collect()
    return {row[to.address_column]: row.asDict() for row in lines}


PEOPLE = [
    ("o1", "add", "ann", " Ann.Lee+shop@GMail.com"),
    ("o2", "add", "bob", "B.O+b@Example.org"),
    ("o3", "add", "eve", "e" * 64),
]
NUMBERS = [("o1", "add", "ann", "+44 7700-900123"), ("o2", "remove", "bob", "+1 (650) 253 0000")]


@pytest.mark.parametrize(
    ("layout", "shown"),
    [
        ("plain", ["ann.lee+shop@gmail.com", "b.o+b@example.org"]),
        ("google", ["annlee+shop@gmail.com", "b.o+b@example.org"]),
        ("meta", ["ann.lee+shop@gmail.com", "b.o+b@example.org"]),
        ("tiktok", ["ann.lee@gmail.com", "b.o@example.org"]),
    ],
)
def test_each_platform_has_its_way_to_normalise_and_hashes_are_left_as_they_are(
    spark: SparkSession, layout: str, shown: list[str]
) -> None:
    lines = build(spark, destination(layout=layout), PEOPLE)
    assert set(lines) == {*map(sha, shown), "e" * 64}


@pytest.mark.parametrize(
    ("layout", "shown"),
    [
        ("google", ["+447700900123", "+16502530000"]),
        ("tiktok", ["+447700900123", "+16502530000"]),
        ("meta", ["447700900123", "16502530000"]),
    ],
)
def test_numbers_are_in_e164_with_the_plus_sign_that_the_platform_wants(
    spark: SparkSession, layout: str, shown: list[str]
) -> None:
    assert set(build(spark, destination(layout=layout, identifier="phone"), NUMBERS)) == set(
        map(sha, shown)
    )


def test_google_is_told_micros_buckets_from_below_and_three_stages(spark: SparkSession) -> None:
    lines = build(spark, destination(layout="google"), PEOPLE)
    facts = [
        (row["lifetime_value_micros"], row["lifetime_value_bucket"], row["lifecycle_stage"])
        for row in sorted(lines.values(), key=lambda row: row["outbox_id"])
    ]
    assert facts == [(120_456_000, 10, "Active"), (0, 1, "Churned"), (None, None, "Lead")]
    assert set(lines[sha("b.o+b@example.org")]) == {
        "audience_id", "outbox_id", "operation", "hashed_email", "lifetime_value_micros", "lifetime_value_bucket",
        "lifecycle_stage",
    }  # fmt: skip


def test_meta_is_told_a_value_that_is_never_negative_and_tiktok_none(spark: SparkSession) -> None:
    lines = build(spark, destination(layout="meta"), PEOPLE).values()
    values = {row["outbox_id"]: row["LOOKALIKE_VALUE"] for row in lines}
    assert values == {"o1": 120.46, "o2": 0, "o3": None}
    (row, *_) = build(spark, destination(layout="tiktok"), PEOPLE).values()
    assert set(row) == {"audience_id", "outbox_id", "operation", "email_sha256"}


def test_facts_have_the_names_that_the_destination_gives_them(spark: SparkSession) -> None:
    to = destination(fields={"clv": "value", "lifecycle_stage": "stage"})
    row = build(spark, to, PEOPLE[:1])[sha("ann.lee+shop@gmail.com")]
    assert (row["value"], row["stage"]) == (120.46, "core")
    assert "clv_decile" not in row


def test_two_spellings_that_a_platform_takes_for_one_are_one_entry(spark: SparkSession) -> None:
    told = [("o1", "remove", "ann", "ann+old@x.org"), ("o2", "add", "ann", "ann@x.org")]
    (row,) = build(spark, destination(layout="tiktok"), told).values()
    assert row["operation"] == "add"
    assert len(build(spark, destination(), told)) == 2


def test_a_line_has_the_key_of_its_instruction_or_of_all_of_them(spark: SparkSession) -> None:
    def key(*told: tuple[str, str, str, str]) -> str:
        held = [(i, p, a, "pending") for i, o, p, a in told if o == "add" and i != "gone"]
        (row,) = build(spark, destination(), list(told), held).values()
        return row["outbox_id"]

    ann, bob = ("o1", "add", "ann", "x@x.org"), ("o2", "add", "bob", "X@x.org")
    assert key(ann) == "o1"
    assert key(ann, bob) == key(bob, ann) not in ("o1", "o2")
    # Added, removed before it was known whether the add arrived: the removal must not have the key of the add.
    gone = ("gone", "add", "ann", "x@x.org")
    removal = key(gone, ("o4", "remove", "ann", "x@x.org"))
    assert removal not in ("gone", "o4")
    again = key(gone, ("o4", "remove", "ann", "x@x.org"), ("o5", "add", "ann", "x@x.org"))
    assert again not in (removal, "gone", "o4", key(gone, ("o5", "add", "ann", "x@x.org")) + "x")


KNOWN = [("o1", "ann", "ann@x.org", "delivered"), ("o2", "bob", "bob@x.org", "pending")]
CHANGES = [("o2", "add", "bob", "bob@x.org"), ("o3", "remove", "eve", "eve@x.org")]


def test_changes_all_and_the_list_alone(spark: SparkSession) -> None:
    def told(mode: str, day: date = APRIL) -> dict[str, tuple[str, str]]:
        lines = build(spark, destination(mode=mode, hashed=False), CHANGES, KNOWN, day)
        return {address: (row["operation"], row["outbox_id"]) for address, row in lines.items()}

    added, removed = {"bob@x.org": ("add", "o2")}, {"eve@x.org": ("remove", "o3")}
    assert told("incremental") == added | removed
    assert told("mirror") == added | {"ann@x.org": ("add", "o1")}
    full = told("full")
    assert {address: operation for address, (operation, _) in full.items()} == {
        "ann@x.org": "add", "bob@x.org": "add", "eve@x.org": "remove",
    }  # fmt: skip
    assert full == told("full"), "a rerun of the day has the same keys"
    assert not {key for _, key in full.values()} & {key for _, key in told("full", MAY).values()}
