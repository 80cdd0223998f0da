"""Numbers as people read them; a number that is not known is a dash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

UNKNOWN = "\N{EN DASH}"


def whole(value: float | None) -> str:
    """``1234567.8`` as ``1,234,568``."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def decimal(value: float | None, digits: int = 2) -> str:
    """Thousands separators and a fixed number of digits."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as percentage: ``0.1234`` as ``12.3 %``."""
    return UNKNOWN if value is None else f"{value * 100:,.{digits}f} %"


def significant(value: float | None, digits: int = 5) -> str:
    """A parameter with so many significant digits."""
    return UNKNOWN if value is None else f"{value:,.{digits}g}"


def ratio(part: float | None, whole_: float | None) -> float | None:
    """Return `part` / `whole_`, None where there is nothing to divide by."""
    return None if part is None or not whole_ else part / whole_


def total(rows: Iterable[Mapping[str, Any]], name: str) -> float:
    """Sum of a column; unknown values count as nothing."""
    return sum(row[name] or 0 for row in rows)
