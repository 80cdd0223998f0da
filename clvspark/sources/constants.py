"""Constants of a mapping are held to the contract when the configuration is read, before any row is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from clvspark.lakehouse.table import Column


def is_numeric(column: Column) -> bool:
    """Whether the column holds numbers."""
    return column.type in {"int", "bigint", "double"} or column.type.startswith("decimal")


def faults_of_constants(column: Column, constants: Mapping[str, str]) -> list[str]:
    """One sentence for each constant, by the key that gives it, that the column can never take."""
    where = f"fields.{column.name}"
    if column.allowed:
        allowed = ", ".join(column.allowed)
        return [
            f"{where}.{key}: {value!r} is not allowed; allowed are {allowed}"
            for key, value in constants.items()
            if value not in column.allowed
        ]
    return [
        f"{where}.{key}: {value!r} is not of type {column.type}"
        for key, value in constants.items()
        if not _is_readable(column, value)
    ]


def _is_readable(column: Column, text: str) -> bool:
    try:
        if column.type == "int":
            return -(2**31) <= int(text) < 2**31
        if is_numeric(column):
            return Decimal(text).is_finite()
        if column.type in {"date", "timestamp"}:
            parse = date.fromisoformat if column.type == "date" else datetime.fromisoformat
            parse(text)
    except (ValueError, InvalidOperation):
        return False
    return True
