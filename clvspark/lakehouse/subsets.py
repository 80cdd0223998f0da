"""Rows that belong to few keys, or to none of them; the keys are sent to every core, so that no row is moved."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def rows_among(rows: DataFrame, few: DataFrame, *key: str) -> DataFrame:
    """Rows whose `key` (default ``unique_id``) is one of `few`."""
    return _join(rows, few, key, "left_semi")


def rows_beside(rows: DataFrame, few: DataFrame, *key: str) -> DataFrame:
    """Rows whose `key` (default ``unique_id``) is none of `few`."""
    return _join(rows, few, key, "left_anti")


def _join(rows: DataFrame, few: DataFrame, key: tuple[str, ...], how: str) -> DataFrame:
    columns = list(key or ("unique_id",))
    return rows.join(F.broadcast(few.select(*columns)), on=columns, how=how)
