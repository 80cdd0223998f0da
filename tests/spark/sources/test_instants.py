"""Instants kept as numbers, as pandas and many exports do."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from clvspark.sources.config import LandingFile
from clvspark.sources.landing import find_files, read_landing
from clvspark.sources.map_rows import map_rows

AT = datetime.fromisoformat("2026-03-01 12:30:00.123456")
SECONDS = 1_772_368_200


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (pa.array([AT], pa.timestamp("ns")), AT),
        (pa.array([SECONDS * 10**6 + 123_456], pa.int64()), AT),
        (pa.array([SECONDS * 10**3], pa.int64()), AT.replace(microsecond=0)),
        (pa.array([SECONDS], pa.int64()), AT.replace(microsecond=0)),
        (pa.array(["2026-03-01 12:30:00.123456"]), AT),
    ],
    ids=["nanoseconds", "microseconds", "milliseconds", "seconds", "text"],
)
def test_instants_are_read_in_any_unit(
    spark: SparkSession, tmp_path: Path, cell: Any, expected: datetime
) -> None:
    table = pa.table({"id": ["1"], "who": ["a"], "at": cell, "score": [9]})
    pq.write_table(table, tmp_path / "answers.parquet")
    fields = {"response_id": "id", "source_record_id": "who", "answered_at": "at", "score": "score"}
    file = LandingFile.model_validate(
        {
            "path": "answers.parquet",
            "format": "parquet",
            "outputs": [{"to": "survey_response", "fields": fields}],
        }
    )
    raw = read_landing(spark, str(tmp_path), find_files(spark, str(tmp_path), file), file)
    row = map_rows(raw, system="app", file=file, output=file.outputs[0]).collect()[0]

    assert (row["answered_at"], row["_reasons"]) == (expected, [])


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-01-15 10:00:00", 9),
        ("2026-01-15 10:00:00 CET", 9),
        ("2026-01-15 10:00:00 GMT+01:00", 9),
        ("2026-01-15T10:00:00Z", 10),
        ("2026-01-15T10:00:00+02:00", 8),
        ("2026-01-15 10:00:00 America/New_York", 15),
        ("2026-01-15", 23),
    ],
)
def test_only_what_names_no_zone_is_local_time(
    spark: SparkSession, tmp_path: Path, text: str, hour: int
) -> None:
    (tmp_path / "answers.csv").write_text(f"id,who,at,score\n1,a,{text},9\n")
    fields = {"response_id": "id", "source_record_id": "who", "score": "score"}
    at = {"answered_at": {"from": "at", "timezone": "Europe/Berlin"}}
    outputs = [{"to": "survey_response", "fields": {**fields, **at}}]
    file = LandingFile.model_validate({"path": "answers.csv", "format": "csv", "outputs": outputs})
    raw = read_landing(spark, str(tmp_path), find_files(spark, str(tmp_path), file), file)
    (row,) = map_rows(raw, system="app", file=file, output=file.outputs[0]).collect()
    assert (row["answered_at"].hour, row["_reasons"], row["response_id"]) == (hour, [], "app:1")
