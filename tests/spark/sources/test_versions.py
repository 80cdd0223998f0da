"""Two dumps of the same records: the newest version stays; lines of JSON are one object each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from clvspark.lakehouse import Lakehouse
from clvspark.sources.config import LandingFile, SourcesConfig
from clvspark.sources.landing import find_files, read_landing
from clvspark.sources.stage import run
from clvspark.sources.tables import CUSTOMER_RECORD, QUARANTINE


def landing_file(path: str) -> dict[str, object]:
    fields = {"source_record_id": "id", "email": "email", "created_at": "made"}
    return {
        "path": path,
        "format": "jsonl",
        "outputs": [{"to": "customer_record", "fields": fields}],
    }


def write(path: Path, rows: Iterable[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_the_newest_version_of_a_record_stays(lake: Lakehouse, tmp_path: Path) -> None:
    old = [{"id": str(n), "email": f"old{n}@example.org"} for n in range(20)]
    new = [{"id": str(n), "email": f"new{n}@example.org"} for n in range(19)]
    same = {"id": "19", "email": "old19@example.org"}
    told = {"id": "20", "email": "late@example.org", "made": "2026-01-02"}
    write(tmp_path / "dump_1.jsonl", [*old, told])
    write(
        tmp_path / "dump_2.jsonl",
        [*new, same, {**told, "email": "early@x.org", "made": "2026-01-01"}],
    )
    system = {"system": "crm", "files": [landing_file("dump_*.jsonl")]}
    config = SourcesConfig.model_validate({"landing": str(tmp_path), "systems": [system]})

    report = run(lake, config)

    kept = {row["source_record_id"]: row["email"] for row in lake.read(CUSTOMER_RECORD).collect()}
    assert kept == {
        **{row["id"]: row["email"] for row in new},
        "19": "old19@example.org",
        "20": "late@example.org",
    }
    reasons = [row["reason"] for row in lake.read(QUARANTINE).collect()]
    assert sorted(reasons) == ["copy", *["superseded"] * 20]
    assert report.warnings == [], "older versions are no fault of the mapping"


@pytest.mark.parametrize(
    ("line", "is_good"),
    [
        ('{"id": "1", "email": "a@x.org"}', True),
        (' {"id": "1"} ', True),
        ('{"id": "1", "more": {"id": [1, {"id": 2}]}}', True),
        ('{"id": "1"}{"id": "2"}', False),
        ('{"id": "1"},{"id": "2"}', False),
        ('{"id": "1"} trailing', False),
        ('{"id": "1"}]', False),
        ('{"id": "1", "id": "2"}', False),
        ('{"id": "1"', False),
        ('[{"id": "1"}]', False),
        ("5", False),
        ("null", False),
    ],
)
def test_a_line_is_one_object_or_malformed(
    spark: SparkSession, tmp_path: Path, line: str, is_good: bool
) -> None:
    (tmp_path / "records.jsonl").write_text(line + "\n", encoding="utf-8")
    file = LandingFile.model_validate(landing_file("records.jsonl"))
    (row,) = read_landing(
        spark, str(tmp_path), find_files(spark, str(tmp_path), file), file
    ).collect()

    assert row["_malformed"] is not is_good
    assert row["_raw"] == line
    assert not is_good or row["id"] == "1"
