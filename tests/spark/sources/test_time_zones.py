"""An instant is what is written, never what the clock says; only local times are moved by the mapping's zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import TimestampType

from clvspark.sources.config import FieldRule
from clvspark.sources.values import map_field


def at(hour: int) -> datetime:
    return datetime.fromisoformat(f"2025-05-01T{hour:02}:00:00")


def read(spark: SparkSession, value: object, kind: str, **rule: object) -> datetime | None:
    raw = spark.createDataFrame([(value,)], f"at {kind}")
    mapped = map_field(raw, FieldRule.model_validate({"from": "at", **rule}), TimestampType())
    found = raw.select(mapped.cast("string")).collect()[0][0]
    return None if found is None else datetime.fromisoformat(found)


@pytest.mark.parametrize(
    "text", ["10:00", "10:00:00", "2025", "2025-05", "today", "T10:00", "x", ""]
)
def test_what_is_no_whole_date_is_no_instant(spark: SparkSession, text: str) -> None:
    assert read(spark, text, "string") is None


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2025-05-01 10:00:00", 8),
        ("2025-05-01T10:00", 8),
        ("2025-05-01T10:00:00+02:00", 8),
        ("2025-05-01T10:00:00-02:00", 12),
        ("2025-05-01T10:00:00Z", 10),
        ("2025-05-01 10:00:00 UTC", 10),
    ],
)
def test_only_local_times_are_moved(spark: SparkSession, text: str, hour: int) -> None:
    found = read(spark, text, "string", timezone="Europe/Berlin")

    assert found == at(hour)


def test_numbers_and_instants_of_parquet_are_not_moved(spark: SparkSession) -> None:
    ten = datetime(2025, 5, 1, 10, tzinfo=UTC)
    for value, kind, hour in (
        (int(ten.timestamp()), "bigint", 10),
        (ten, "timestamp", 10),
        (at(10), "timestamp_ntz", 8),
    ):
        found = read(spark, value, kind, timezone="Europe/Berlin")
        assert found == at(hour), kind


@pytest.mark.parametrize(
    ("pattern", "text", "hour"),
    [
        ("dd.MM.yyyy HH:mm", "01.05.2025 10:00", 8),
        ("dd.MM.yyyy HH:mm XXX", "01.05.2025 10:00 +01:00", 9),
        ("yyyy-MM-dd'Z'HH:mm", "2025-05-01Z10:00", 8),
    ],
)
def test_a_pattern_that_reads_a_zone_needs_no_other(
    spark: SparkSession, pattern: str, text: str, hour: int
) -> None:
    found = read(spark, text, "string", formats=[pattern], timezone="Europe/Berlin")

    assert found == at(hour)
