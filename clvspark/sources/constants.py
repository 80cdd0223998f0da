"""Constants of a mapping are held to the contract when the configuration is read, before any row is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from clvspark.lakehouse.table import Column

# How often a letter of a pattern may stand in a row.
_LONGEST = {
    "y": 6,
    **dict.fromkeys("GMLEQqa", 4),
    **dict.fromkeys("dhHkKms", 2),
    "D": 3,
    "F": 1,
    "S": 9,
    "V": 2,
    **dict.fromkeys("zOXxZ", 5),
}


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


def faults_of_pattern(pattern: str) -> list[str]:
    """What is wrong with a pattern of dates or instants ("Datetime Patterns" of Spark's documentation)."""
    plain = re.sub("'[^']*'", "", pattern)
    if "'" in plain:
        return [f"{pattern!r}: a quotation mark is not closed"]
    runs = [(match[1], len(match[0])) for match in re.finditer(r"([A-Za-z])\1*", plain)]
    unknown = sorted({letter for letter, _ in runs} - set(_LONGEST))
    if unknown:
        hint = "; years are y, days of the month d: yyyy-MM-dd" if "Y" in unknown else ""
        allowed = "".join(_LONGEST)
        return [f"{pattern!r}: {', '.join(unknown)} means nothing; letters are {allowed}{hint}"]
    too_long = sorted({letter for letter, length in runs if length > _LONGEST[letter]})
    return [f"{pattern!r}: too many {', '.join(too_long)} in a row"] if too_long else []
