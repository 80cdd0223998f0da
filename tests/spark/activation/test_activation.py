"""Gate, holdout, outbox and files: who is told what, once."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from clvspark.activation.config import FileDestination, HoldoutConfig
from clvspark.activation.export import address_instructions, build_payload, export_files
from clvspark.activation.gate import judge_members, split_group
from clvspark.activation.outbox import write_instructions
from clvspark.activation.tables import OUTBOX

INSTRUCTION = (
    "audience_id string, outbox_id string, operation string, person_id string, address string"
)
MARCH, APRIL, MAY = date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)


def destination(**change: Any) -> FileDestination:
    given = {
        "id": "tool", "format": "csv", "channel": "email", "identifier": "email", "hashed": False,
        "audiences": ["top", "lost"],
    }  # fmt: skip
    return FileDestination.model_validate(given | change)


def contacts(spark: SparkSession) -> DataFrame:
    rows = [
        ("ann", "Ann@Example.org", True, "treatment", 1, 99.999, "core"),
        ("bob", "bob@example.org", True, "holdout", 2, 50.0, "core"),
        ("cat", None, True, "treatment", 3, 40.0, "new"),
        ("dan", "dan@example.org", False, "treatment", 4, 30.0, "new"),
        ("eve", 'eve "e, v"@example.org', None, None, None, None, None),
    ]
    return spark.createDataFrame(
        rows,
        "person_id string, email string, consent_email boolean, split_group string, clv_decile int, clv double, "
        "lifecycle_stage string",
    )


def test_every_member_gets_one_verdict_consent_first(spark: SparkSession) -> None:
    names = ["ann", "bob", "cat", "dan", "eve", "unknown"]
    members = spark.createDataFrame(
        [("top", n) for n in names] + [("other", "ann")], "audience_id string, person_id string"
    )
    rows = judge_members(members, contacts(spark), destination()).collect()
    assert {row["person_id"]: row["verdict"] for row in rows} == {
        "ann": "eligible", "bob": "held_out", "cat": "without_identifier", "dan": "without_consent",
        "eve": "without_consent", "unknown": "without_consent",
    }  # fmt: skip
    assert len(rows) == len(names), "audiences of other destinations are left out"


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
    """An outbox that is told, day by day, who should be on the list."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark, self.rows = spark, spark.createDataFrame([], OUTBOX.schema)

    def tell(self, day: date, *people: str) -> list[tuple[str, str, int]]:
        eligible = self.spark.createDataFrame(
            [("tool", "top", person) for person in people],
            "destination_id string, audience_id string, person_id string",
        )
        new = OUTBOX.conform(write_instructions(self.rows, eligible, as_of=day)).localCheckpoint()
        self.rows = self.rows.unionByName(new).localCheckpoint()
        return sorted(
            (row["person_id"], row["operation"], row["sequence"]) for row in new.collect()
        )


def test_only_differences_are_told_and_sequences_grow(spark: SparkSession) -> None:
    box = Box(spark)
    assert box.tell(MARCH, "ann", "bob") == [("ann", "add", 1), ("bob", "add", 1)]
    assert box.tell(MARCH, "ann", "bob") == [], "a rerun tells nothing"
    assert box.tell(APRIL, "ann") == [("bob", "remove", 2)], "left, or withdrew consent"
    assert box.tell(APRIL, "ann") == []
    assert box.tell(MAY, "ann", "bob") == [("bob", "add", 3)]
    assert box.rows.select("outbox_id").distinct().count() == box.rows.count()


def test_what_was_cancelled_was_never_told(spark: SparkSession) -> None:
    box = Box(spark)
    box.tell(MARCH, "ann")
    box.rows = box.rows.replace("pending", "cancelled", subset=["status"])
    assert box.tell(APRIL, "ann") == [("ann", "add", 2)]
    box.rows = box.rows.replace("pending", "cancelled", subset=["status"])
    assert box.tell(MAY) == []


def payload(spark: SparkSession, to: FileDestination) -> DataFrame:
    rows = [("top", "o1", "add", "ann", None), ("top", "o2", "remove", "eve", 'eve "e, v"@example.org'),
            ("lost", "o3", "add", "ann", None), ("top", "o4", "add", "cat", None)]  # fmt: skip
    instructions = spark.createDataFrame(rows, INSTRUCTION)
    addressed = address_instructions(instructions, contacts(spark), to)
    return build_payload(addressed, addressed.where("operation = 'add'"), contacts(spark), to)


def test_a_removal_names_the_address_that_was_told(spark: SparkSession) -> None:
    rows = [
        ("top", "o1", "remove", "ann", "before@example.org"),
        ("top", "o2", "remove", "gone", "gone@example.org"),
    ]
    told = address_instructions(
        spark.createDataFrame(rows, INSTRUCTION), contacts(spark), destination()
    )

    assert {row["outbox_id"]: row["address"] for row in told.collect()} == {
        "o1": "before@example.org",
        "o2": "gone@example.org",
    }


def test_an_address_of_two_persons_is_one_entry_that_stays_while_one_stays(
    spark: SparkSession,
) -> None:
    home = "home@example.org"
    rows = [
        ("top", "o1", "add", "ann", home),
        ("top", "o2", "add", "bob", home),
        ("lost", "o3", "remove", "ann", home),
        ("lost", "o4", "remove", "cat", "cat@example.org"),
    ]
    held = spark.createDataFrame(
        [("top", home), ("lost", home)], "audience_id string, address string"
    )
    told = build_payload(
        spark.createDataFrame(rows, INSTRUCTION), held, contacts(spark), destination()
    )

    assert {(row["outbox_id"], row["operation"], row["email"]) for row in told.collect()} == {
        ("o1", "add", home),
        ("o4", "remove", "cat@example.org"),
    }


def check_manifest(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / "manifest.json").read_text())
    listed = {file["name"]: file for file in manifest["files"]}
    assert {path.name for path in folder.iterdir()} == {*listed, "manifest.json"}
    for name, file in listed.items():
        path = folder / name
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
        assert path.stat().st_mode & 0o777 == 0o600
    return {name: file["rows"] for name, file in listed.items()}


def test_csv_files_have_a_manifest_and_are_for_the_owner_only(
    spark: SparkSession, tmp_path: Path
) -> None:
    to = destination()
    files = export_files(payload(spark, to), tmp_path, to, as_of=APRIL)
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
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_second_run_of_a_day_replaces_its_files(spark: SparkSession, tmp_path: Path) -> None:
    to = destination(id="ads", format="jsonl", hashed=True)
    export_files(payload(spark, to), tmp_path, to, as_of=APRIL)
    export_files(payload(spark, to).where("audience_id = 'top'"), tmp_path, to, as_of=APRIL)
    folder = tmp_path / "ads" / "2026-04-01"
    assert check_manifest(folder) == {"top.jsonl": 2}
    assert [path.name for path in (tmp_path / "ads").iterdir()] == ["2026-04-01"]
    rows = [json.loads(line) for line in (folder / "top.jsonl").read_text().splitlines()]
    assert rows[0]["email_sha256"] == hashlib.sha256(b"ann@example.org").hexdigest()
    assert "example.org" not in (folder / "top.jsonl").read_text()
    assert rows[1]["clv_decile"] is None, "keys are there although nothing is known"


def test_nothing_to_tell_is_a_manifest_without_files(spark: SparkSession, tmp_path: Path) -> None:
    to = destination()
    assert export_files(payload(spark, to).limit(0), tmp_path, to, as_of=APRIL) == []
    assert check_manifest(tmp_path / "tool" / "2026-04-01") == {}
