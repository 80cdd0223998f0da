"""Lakehouses as earlier releases wrote them: their contracts as data (tests/support/contracts)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from clvspark.lakehouse import Column, LakehouseConfig, Table
from clvspark.lakehouse.storage import Storage

FOLDER = Path(__file__).parent / "contracts"


@dataclass(frozen=True)
class Earlier:
    """What an earlier release knew of a table: its contract, without comments and checks, and its properties."""

    table: Table
    properties: dict[str, str]


def contracts_of(number: int) -> dict[str, Earlier]:
    """The tables of a format, by name."""
    text = (FOLDER / f"format_{number}.json").read_text(encoding="utf-8")
    return {name: _read(name, told) for name, told in json.loads(text).items()}


def _read(name: str, told: dict[str, Any]) -> Earlier:
    columns = tuple(_column(*column) for column in told["columns"].items())
    table = Table(name, "As it was.", columns, tuple(told["cluster_by"]))
    return Earlier(table, told["properties"])


def _column(name: str, told: str) -> Column:
    type_ = told.removesuffix(" key").removesuffix(" required")
    return Column(name, type_, key=told.endswith(" key"), required=told.endswith(" required"))


def write_earlier(
    spark: SparkSession,
    root: Path,
    tables: Mapping[str, Earlier],
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
) -> LakehouseConfig:
    """A lakehouse with these rows, by table, as an earlier release wrote it; its run log is always there."""
    config = LakehouseConfig(root=str(root))
    storage = Storage(spark, config)
    for name in {**rows, "ops.run": None}:
        earlier = tables[name]
        found = earlier.table.rows(spark, rows.get(name, []))
        storage.create(earlier.table, found, earlier.properties)
    return config
