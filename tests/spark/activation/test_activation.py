"""Gate, holdout, outbox and files: who is told what, once."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from clvspark.activation.config import FileDestination, HoldoutConfig
from clvspark.activation.destinations import files as file_sender
from clvspark.activation.destinations.files import send_files
from clvspark.activation.destinations.sender import Delivery, ExportedFile
from clvspark.activation.due import count_waiting
from clvspark.activation.gate import assign_members, judge_members
from clvspark.activation.holdout import split_group
from clvspark.activation.lines import build_lines, count_operations, show_lines
from clvspark.activation.outbox import list_held, write_instructions
from clvspark.activation.tables import ASSIGNMENT, DELIVERY, OUTBOX
from clvspark.lakehouse.errors import DeliveryError

INSTRUCTION = (
    "audience_id string, outbox_id string, operation string, person_id string, address string"
)
HELD = "audience_id string, address string"
MARCH, APRIL, MAY = date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)


def destination(**change: Any) -> FileDestination:
    given = {
        "id": "tool", "format": "csv", "channel": "email", "identifier": "email", "hashed": False,
        "audiences": ["top", "lost"],
    }  # fmt: skip
    return FileDestination.model_validate(given | change)


def contacts(spark: SparkSession) -> DataFrame:
    rows = [
        ("ann", "Ann@Example.org", True, "treatment", 1, 99.999, "core", True, None),
        ("bob", "bob@example.org", True, "holdout", 2, 50.0, "core", True, True),
        ("cat", None, True, "treatment", 3, 40.0, "new", None, None),
        ("dan", "dan@example.org", False, "treatment", 4, 30.0, "new", False, None),
        ("eve", 'eve "e, v"@example.org', None, None, None, None, None, None, None),
        ("fay", "shared@example.org", True, "treatment", 5, 20.0, "new", False, None),
        ("gus", "hal@example.org", True, "treatment", 6, 20.0, "new", True, True),
    ]
    return spark.createDataFrame(
        rows,
        "person_id string, email string, consent_email boolean, split_group string, clv_decile int, clv double, "
        "lifecycle_stage string, email_consent_email boolean, email_held boolean",
    )


def test_every_member_gets_one_verdict_consent_first(spark: SparkSession) -> None:
    names = ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "unknown"]
    members = spark.createDataFrame(
        [("top", n, None) for n in names] + [("other", "ann", None), ("top", "zoe", "sms")],
        "audience_id string, person_id string, channel string",
    )
    rows = judge_members(members, contacts(spark), destination()).collect()
    assert {row["person_id"]: row["verdict"] for row in rows} == {
        "ann": "eligible", "bob": "held_out", "cat": "without_identifier", "dan": "without_consent",
        "eve": "without_consent", "unknown": "without_consent", "fay": "without_consent", "gus": "held_out",
    }  # fmt: skip
    assert len(rows) == len(names), "audiences of other destinations are left out"


def test_groups_of_an_experiment_are_those_who_could_be_told_and_never_change(
    spark: SparkSession,
) -> None:
    def judged(**verdicts: str) -> DataFrame:
        rows = [("top", name, verdict) for name, verdict in verdicts.items()] * 2
        return spark.createDataFrame(rows, "audience_id string, person_id string, verdict string")

    none = spark.createDataFrame([], ASSIGNMENT.schema)
    first = judged(ann="eligible", bob="held_out", cat="without_identifier", dan="without_consent")
    day = ASSIGNMENT.conform(assign_members(first, none, as_of=APRIL))
    day = day.localCheckpoint()
    assert {(r["person_id"], r["split_group"], r["as_of_date"]) for r in day.collect()} == {
        ("ann", "treatment", APRIL),
        ("bob", "holdout", APRIL),
    }
    later = judged(ann="held_out", cat="eligible")
    more = assign_members(later, day, as_of=APRIL, acted_on=MARCH)
    told = [(row["person_id"], row["split_group"], row["acted_on"]) for row in more.collect()]
    assert told == [("cat", "treatment", MARCH)]
    assert assign_members(later, day, as_of=MAY).count() == 2, "every date deals its own"


def test_groups_are_a_share_of_the_persons_and_do_not_move(spark: SparkSession) -> None:
    people = spark.range(5000).selectExpr("concat('p', id) AS person_id").persist()

    def held(percent: float, salt: str = "a") -> set[str]:
        config = HoldoutConfig(percent=percent, salt=salt)
        rows = (
            people.repartition(3)
            .withColumn("g", split_group(config))
            .where("g = 'holdout'")
            .collect()
        )
        return {row["person_id"] for row in rows}

    ten = held(10)
    assert 400 < len(ten) < 600
    assert held(10) == ten
    assert ten < held(20), "a larger share only adds persons"
    assert held(10, "b") != ten
    assert held(0) == set()


class Box:
    """An outbox that is told, day by day, who should be on the list, and under which address."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark, self.rows = spark, spark.createDataFrame([], OUTBOX.schema)

    def tell(self, day: date, *people: str, **addresses: str) -> list[tuple[str, str, int]]:
        """Instructions of the day: person (and address, where one is given), operation, sequence."""
        wanted = {person: f"{person}@example.org" for person in people} | addresses
        eligible = self.spark.createDataFrame(
            [("tool", "top", *pair) for pair in wanted.items()],
            "destination_id string, audience_id string, person_id string, address string",
        )
        new = OUTBOX.conform(write_instructions(self.rows, eligible, as_of=day)).localCheckpoint()
        self.rows = self.rows.unionByName(new).localCheckpoint()
        named = "address" if addresses else "person_id"
        return sorted((row[named], row["operation"], row["sequence"]) for row in new.collect())


def test_only_differences_are_told_and_sequences_grow(spark: SparkSession) -> None:
    box = Box(spark)
    assert box.tell(MARCH, "ann", "bob") == [("ann", "add", 1), ("bob", "add", 1)]
    assert box.tell(MARCH, "ann", "bob") == [], "a rerun tells nothing"
    assert box.tell(APRIL, "ann") == [("bob", "remove", 2)], "left, or withdrew consent"
    assert box.tell(APRIL, "ann") == []
    assert box.tell(MAY, "ann", "bob") == [("bob", "add", 3)]
    assert box.rows.select("outbox_id").distinct().count() == box.rows.count()


def test_a_new_address_is_told_once_and_the_old_one_removed(spark: SparkSession) -> None:
    box = Box(spark)
    box.tell(MARCH, ann="ann@old.example")
    moved = [("ann@new.example", "add", 3), ("ann@old.example", "remove", 2)]
    assert box.tell(APRIL, ann="ann@new.example") == moved
    assert box.tell(APRIL, ann="ann@new.example") == [], "a rerun tells nothing"
    assert box.tell(APRIL, ann="Ann@New.example") == [], "the same address, spelt otherwise"
    held = list_held(box.rows).collect()
    assert [row["address"] for row in held] == ["ann@new.example"]
    assert box.tell(MAY) == [("ann", "remove", 4)]
    last = box.rows.orderBy("sequence").collect()[-1]
    assert last["address"] == "ann@new.example", "the address that was told last"


def test_a_removal_that_an_erasure_left_is_nobodys_instruction(spark: SparkSession) -> None:
    box = Box(spark)
    box.tell(MARCH, "ann")
    left = [
        {"outbox_id": f"random{n}", "destination_id": "tool", "audience_id": "top", "sequence": 1}
        | {"operation": "remove", "status": "pending", "created_on": MARCH, "address": f"{n}@x.example"}
        for n in (1, 2)
    ]  # fmt: skip
    box.rows = box.rows.unionByName(OUTBOX.rows(spark, left))
    assert box.tell(APRIL, "ann") == []
    assert [row["address"] for row in list_held(box.rows).collect()] == ["ann@example.org"]


def payload(spark: SparkSession, to: FileDestination) -> DataFrame:
    rows = [("top", "o1", "add", "ann", "Ann@Example.org"), ("top", "o2", "remove", "eve", 'eve "e, v"@example.org'),
            ("lost", "o3", "add", "ann", "Ann@Example.org"), ("top", "o4", "remove", None, None)]  # fmt: skip
    instructions = spark.createDataFrame(rows, INSTRUCTION)
    return build(spark, instructions, instructions.where("operation = 'add'"), to)


def build(spark: SparkSession, told: DataFrame, held: DataFrame, to: FileDestination) -> DataFrame:
    return show_lines(build_lines(told, held, contacts(spark), to, as_of=APRIL))


def export(
    lines: DataFrame, folder: Path, to: FileDestination, batch: int = 1
) -> list[ExportedFile]:
    return list(send_files(lines, Delivery(to, APRIL, folder, batch)).files)


def test_an_address_of_two_persons_is_one_entry_that_stays_while_one_stays(
    spark: SparkSession,
) -> None:
    home = "home@example.org"
    rows = [
        ("top", "o1", "add", "ann", home),
        ("top", "o2", "add", "bob", "Home@example.org"),
        ("lost", "o3", "remove", "ann", home),
        ("lost", "o4", "remove", "cat", "cat@example.org"),
    ]
    held = spark.createDataFrame([("top", home), ("lost", "Home@example.org")], HELD)
    told = build(spark, spark.createDataFrame(rows, INSTRUCTION), held, destination())

    assert {(row["operation"], row["email"]) for row in told.collect()} == {
        ("add", home),
        ("remove", "cat@example.org"),
    }


def test_a_delivery_is_numbered_after_those_whose_files_went_out(spark: SparkSession) -> None:
    def delivery(destination: str, day: date, file_name: str | None) -> dict[str, object]:
        names = {"destination_id": destination, "audience_id": "top", "file_name": file_name}
        return {**names, "as_of_date": day}

    sent = [
        delivery("tool", APRIL, "2026-04-01_2/top.csv"),
        delivery("fresh", APRIL, None),
        delivery("once", APRIL, "2026-04-01/top.csv"),
        delivery("once", MAY, "2026-05-01_7/top.csv"),
    ]
    # What the second delivery of the day held is erased.
    left = [{"outbox_id": "1", "destination_id": "tool", "delivered_on": APRIL, "batch": 1, "status": "delivered"},
            {"outbox_id": "2", "destination_id": "tool", "status": "pending"}]  # fmt: skip
    found = count_waiting(OUTBOX.rows(spark, left), DELIVERY.rows(spark, sent), APRIL)
    counts = {
        r["destination_id"]: (r["batches"], r["waiting"], r["erased"]) for r in found.collect()
    }
    assert counts == {"tool": (2, 1, 1), "once": (1, 0, 0)}


def test_what_was_added_and_removed_since_the_last_delivery_is_a_removal(
    spark: SparkSession,
) -> None:
    rows = [("top", "o1", "add", "ann", "a@example.org"), ("top", "o2", "remove", "ann", "a@example.org")]  # fmt: skip
    none = spark.createDataFrame([], HELD)
    told = build(spark, spark.createDataFrame(rows, INSTRUCTION), none, destination())
    (row,) = told.collect()
    assert (row["clv_decile"], row["clv"], row["lifecycle_stage"]) == (None, None, None), (
        "nothing is told of who may have withdrawn"
    )
    assert [(row["operation"], row["email"]) for row in told.collect()] == [
        ("remove", "a@example.org")
    ]


def check_manifest(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / "manifest.json").read_text())
    listed = {file["name"]: file for file in manifest["files"]}
    assert {path.name for path in folder.iterdir()} == {*listed, "manifest.json"}
    for name, file in listed.items():
        path = folder / name
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
        assert path.stat().st_mode & 0o777 == 0o600
    assert (folder / "manifest.json").stat().st_mode & 0o777 == 0o600
    return {name: file["rows"] for name, file in listed.items()}


def test_csv_files_have_a_manifest_and_are_for_the_owner_only(
    spark: SparkSession, tmp_path: Path
) -> None:
    to = destination()
    files = export(payload(spark, to), tmp_path, to)
    folder = tmp_path / "tool" / "2026-04-01"
    assert check_manifest(folder) == {"lost.csv": 1, "top.csv": 2}
    assert {(file.audience_id, file.rows) for file in files} == {("lost", 1), ("top", 2)}
    with (folder / "top.csv").open(newline="", encoding="utf-8") as lines:
        rows = {row["outbox_id"]: row for row in csv.DictReader(lines)}
    assert rows["o1"] == {
        "outbox_id": "o1", "operation": "add", "email": "Ann@Example.org", "clv_decile": "1", "clv": "100.0",
        "lifecycle_stage": "core",
    }  # fmt: skip
    assert rows["o2"]["email"] == 'eve "e, v"@example.org', "quotes and commas survive"
    assert set(rows) == {"o1", "o2"}, "who has no address is on no list"
    for made in (folder, folder.parent):
        assert made.stat().st_mode & 0o777 == 0o700, made


def test_folders_of_exports_are_for_the_owner_only_and_one_that_is_there_stays(
    spark: SparkSession, tmp_path: Path
) -> None:
    to, exports = destination(), tmp_path / "shop" / "exports"
    (tmp_path / "shop").mkdir(mode=0o755)
    export(payload(spark, to), exports, to)
    modes = {path: path.stat().st_mode & 0o777 for path in (exports, *exports.rglob("*"))}
    for path, mode in modes.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert (tmp_path / "shop").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("hashed", [False, True])
def test_lines_are_in_the_order_of_their_identifiers(
    spark: SparkSession, tmp_path: Path, hashed: bool
) -> None:
    to = destination(format="jsonl", hashed=hashed)
    rows = [("top", f"o{n * 7 % 50}", "add", None, f"p{n * 13 % 50}@x.org") for n in range(50)]
    told = spark.createDataFrame(rows, INSTRUCTION).repartition(7)
    built = build(spark, told, told, to).repartition(5)
    export(built, tmp_path, to)
    text = (tmp_path / "tool/2026-04-01/top.jsonl").read_text()
    shown = [json.loads(line)["email_sha256" if hashed else "email"] for line in text.splitlines()]
    assert len(set(shown)) == 50
    assert shown == sorted(shown)


def test_persons_and_entries_are_counted_apart(spark: SparkSession) -> None:
    rows = [
        ("top", "o1", "add", "ann", "home@x.org"),
        ("top", "o2", "add", "bob", "Home@x.org"),
        ("lost", "o3", "remove", "ann", "home@x.org"),
    ]
    told = spark.createDataFrame(rows, INSTRUCTION)
    payload = build(spark, told, told.where("operation = 'add'"), destination())
    assert count_operations(told, payload) == {
        "lost": {"persons_added": 0, "persons_removed": 1, "entries_added": 0, "entries_removed": 1},
        "top": {"persons_added": 2, "persons_removed": 0, "entries_added": 1, "entries_removed": 0},
    }  # fmt: skip


def test_a_second_run_of_a_day_replaces_its_files(spark: SparkSession, tmp_path: Path) -> None:
    to = destination(id="ads", format="jsonl", hashed=True)
    export(payload(spark, to), tmp_path, to)
    export(payload(spark, to).where("audience_id = 'top'"), tmp_path, to)
    folder = tmp_path / "ads" / "2026-04-01"
    assert check_manifest(folder) == {"top.jsonl": 2}
    assert [path.name for path in (tmp_path / "ads").iterdir()] == ["2026-04-01"]
    rows = [json.loads(line) for line in (folder / "top.jsonl").read_text().splitlines()]
    by_id = {row["outbox_id"]: row for row in rows}
    assert by_id["o1"]["email_sha256"] == hashlib.sha256(b"ann@example.org").hexdigest()
    assert "example.org" not in (folder / "top.jsonl").read_text()
    assert by_id["o2"]["clv_decile"] is None, "keys are there although nothing is known"


def test_nothing_to_tell_is_a_manifest_without_files(spark: SparkSession, tmp_path: Path) -> None:
    to = destination()
    assert export(payload(spark, to).limit(0), tmp_path, to) == []
    assert check_manifest(tmp_path / "tool" / "2026-04-01") == {}


def test_files_that_lack_rows_are_refused_and_the_old_delivery_stays(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = destination()
    export(payload(spark, to), tmp_path, to)
    whole = file_sender._parts
    # What the driver sees where an executor wrote its part to a folder of its own machine.
    monkeypatch.setattr(file_sender, "_parts", lambda folder: whole(folder)[1:])
    with pytest.raises(
        DeliveryError, match=r"tool has not all its rows.*lost 0 of 1\).*run: clvspark activate"
    ):
        export(payload(spark, to), tmp_path, to)
    assert check_manifest(tmp_path / "tool" / "2026-04-01") == {"lost.csv": 1, "top.csv": 2}


def test_a_later_delivery_of_a_date_leaves_the_first_as_it_was(
    spark: SparkSession, tmp_path: Path
) -> None:
    to = destination()
    export(payload(spark, to), tmp_path, to)
    (file,) = export(payload(spark, to).where("audience_id = 'lost'"), tmp_path, to, 2)
    assert file.path == "2026-04-01_2/lost.csv"
    assert check_manifest(tmp_path / "tool" / "2026-04-01") == {"lost.csv": 1, "top.csv": 2}
    assert check_manifest(tmp_path / "tool" / "2026-04-01_2") == {"lost.csv": 1}
