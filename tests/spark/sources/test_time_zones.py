"""An instant is what is written, never what the clock says; the mapping's zone moves local times only, and no day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import DateType, TimestampType

from clvspark.sources.config import FieldRule
from clvspark.sources.values import map_field


def at(hour: int) -> datetime:
    return datetime.fromisoformat(f"2025-05-01T{hour:02}:00:00")


def read(spark: SparkSession, value: object, kind: str, **rule: object) -> datetime | None:
    raw = spark.createDataFrame([(value,)], f"at {kind}")
    mapped = map_field(raw, FieldRule.model_validate({"from": "at", **rule}), TimestampType())
    found = raw.select(mapped.cast("string")).collect()[0][0]
    return None if found is None else datetime.fromisoformat(found)


def read_day(spark: SparkSession, value: object, kind: str, **rule: object) -> date | None:
    raw = spark.createDataFrame([(value,)], f"at {kind}")
    mapped = map_field(raw, FieldRule.model_validate({"from": "at", **rule}), DateType())
    (row,) = raw.select(mapped.alias("day")).collect()
    return row["day"]


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
        (int(ten.timestamp()), "int", 10),
        (ten.timestamp(), "double", 10),
        (Decimal(int(ten.timestamp()) * 1000), "decimal(20,0)", 10),
        (ten, "timestamp", 10),
        (at(10), "timestamp_ntz", 8),
    ):
        found = read(spark, value, kind, timezone="Europe/Berlin")
        assert found == at(hour), kind


@pytest.mark.parametrize(
    ("value", "kind"), [(0, "bigint"), (19800101, "int"), (float("nan"), "double")]
)
def test_small_numbers_are_no_instants(spark: SparkSession, value: float, kind: str) -> None:
    assert read(spark, value, kind) is None


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


MAY_1 = date(1980, 5, 1)
LATE = datetime(1980, 4, 30, 22, tzinfo=UTC)  # midnight in Berlin


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "+14:00"])
@pytest.mark.parametrize(
    ("value", "kind", "formats"),
    [
        ("01.05.1980", "string", ["dd.MM.yyyy"]),
        ("01.05.1980 23:59", "string", ["dd.MM.yyyy HH:mm"]),
        ("1980-05-01", "string", None),
        ("1980-05-01 00:00:00", "string", None),
        (MAY_1, "date", None),
        (datetime.fromisoformat("1980-05-01T23:00:00"), "timestamp_ntz", None),
    ],
)
def test_a_date_is_the_day_as_it_is_written(
    spark: SparkSession, value: object, kind: str, formats: list[str] | None, zone: str
) -> None:
    assert read_day(spark, value, kind, formats=formats, timezone=zone) == MAY_1


@pytest.mark.parametrize(
    ("value", "kind", "formats"),
    [
        ("1980-04-30T22:00:00Z", "string", None),
        ("1980-04-30 22:00:00 UTC", "string", None),
        ("30.04.1980 22:00 +00:00", "string", ["dd.MM.yyyy HH:mm XXX"]),
        (int(LATE.timestamp()), "bigint", None),
        (LATE, "timestamp", None),
    ],
)
def test_the_day_of_an_instant_is_that_in_the_zone_of_the_mapping(
    spark: SparkSession, value: object, kind: str, formats: list[str] | None
) -> None:
    days = [
        read_day(spark, value, kind, formats=formats, timezone=zone)
        for zone in ("Europe/Berlin", "UTC")
    ]

    assert days == [MAY_1, LATE.date()]
