"""Texts made of several columns or steps: half an id is none, half an address is one, nothing is missing."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StringType

from clvspark.lakehouse.table import Table
from clvspark.sources.config import FieldRule, LandingFile
from clvspark.sources.map_rows import map_rows
from clvspark.sources.tables import (
    CONSENT,
    CUSTOMER_RECORD,
    EVENT,
    EXCHANGE_RATE,
    SURVEY_RESPONSE,
    TARGETS,
)
from clvspark.sources.values import map_field

DAY = "2026-03-01"
FILLED = {
    "event_type": "order", "channel": "email", "occurred_at": DAY, "net_revenue": 1, "purpose": "news", "val": "y",
    "recorded_at": DAY, "answered_at": DAY, "score": 9, "starts_on": DAY, "ends_on": DAY,
}  # fmt: skip


def read(
    spark: SparkSession, table: Table, joined: list[str], *rows: tuple[str | None, str | None]
) -> list[dict[str, Any]]:
    """Rows of a table whose columns `joined` are each made of the landing columns `land` and `no`."""
    columns = (
        "land string, no string, _file string, _raw string, _malformed boolean, _unknown string"
    )
    raw = spark.createDataFrame([(*row, "f.csv", "", False, None) for row in rows], columns)
    fields: dict[str, Any] = {name: {"join": ["land", "no"]} for name in joined}
    fields |= {name: {"value": FILLED[name]} for name in table.names if name in FILLED}
    outputs = [{"to": table.name.split(".")[1], "fields": fields}]
    file = LandingFile.model_validate({"path": "f.csv", "format": "csv", "outputs": outputs})
    mapped = map_rows(raw, system="shop", file=file, output=file.outputs[0])
    return [row.asDict() for row in mapped.collect()]


# Rates have the code of a currency for a key, which takes nothing else.
WITH_IDS = {name: table for name, table in TARGETS.items() if table is not EXCHANGE_RATE}


@pytest.mark.parametrize("table", WITH_IDS.values(), ids=WITH_IDS)
def test_an_id_with_a_missing_part_is_missing(spark: SparkSession, table: Table) -> None:
    filled = {"source_system", *FILLED}
    ids = [c.name for c in table.columns if c.identifier and c.name not in filled]
    whole, *halves = read(spark, table, ids, ("DE", "47"), ("DE", None), (None, "47"), ("", "47"))

    assert {whole[name].removeprefix("shop:") for name in ids} == {"DE:47"}
    assert whole["_reasons"] == []
    assert {row[name] for row in halves for name in ids} == {None}


@pytest.mark.parametrize(
    ("table", "joined", "reasons"),
    [
        (EVENT, ["event_id", "order_id"], ["missing:event_id", "check:order_is_complete"]),
        (SURVEY_RESPONSE, ["response_id", "source_record_id"],
         ["missing:response_id", "missing:source_record_id"]),
        (CONSENT, ["consent_id", "source_record_id"],
         ["missing:consent_id", "missing:source_record_id"]),
    ],
)  # fmt: skip
def test_a_row_with_half_an_id_is_judged_as_one_without(
    spark: SparkSession, table: Table, joined: list[str], reasons: list[str]
) -> None:
    (row,) = read(spark, table, joined, ("DE", None))

    assert row["_reasons"] == reasons


def test_what_is_no_id_is_joined_of_what_is_there(spark: SparkSession) -> None:
    joined = ["source_record_id", "street"]
    rows = read(spark, CUSTOMER_RECORD, joined, ("Lane", None), ("Lane", "4"))

    assert [row["street"] for row in rows] == ["Lane", "Lane:4"]


@pytest.mark.parametrize("transforms", [["digits"], ["digits", "sha256"]])
def test_what_a_transform_leaves_nothing_of_is_missing(
    spark: SparkSession, transforms: list[str]
) -> None:
    rule = FieldRule.model_validate({"from": "card", "transforms": transforms, "prefix": "card "})
    raw = spark.createDataFrame([("none",)], "card string")
    (row,) = raw.select(map_field(raw, rule, StringType()).alias("card")).collect()

    assert row["card"] is None


@pytest.mark.parametrize(
    "rule",
    [
        {"from": "no"},
        {"from": "no", "prefix": "c"},
        {"from": "no", "map": {"47": "47", "2000000": "2000000", "0.5": "0.5"}},
        {"join": ["land", "no"]},
    ],
    ids=["plain", "prefix", "map", "join"],
)
def test_whole_numbers_that_came_as_floating_point_are_written_as_such(
    spark: SparkSession, rule: dict[str, Any]
) -> None:
    rows = [("DE", 47.0), ("DE", 2e6), ("DE", 0.5), ("DE", float("nan")), ("DE", None)]
    raw = spark.createDataFrame(rows, "land string, no double")
    before = {"prefix": "c", "join": "DE:"}.get(next(iter(rule.keys() - {"from"}), ""), "")
    column = map_field(raw, FieldRule.model_validate(rule), StringType())
    found = [row[0] for row in raw.select(column).collect()]
    assert found[:3] == [f"{before}{text}" for text in ("47", "2000000", "0.5")]
    assert set(found[3:]) <= {None, "DE"}, "not a number is nothing"
