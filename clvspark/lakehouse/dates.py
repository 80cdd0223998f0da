"""Rows of one date, in tables that keep every date's own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date


def rows_of(as_of: date, column: str = "as_of_date") -> str:
    """SQL predicate of the rows of one date: the `where` of a write that leaves other dates as they are."""
    return f"{column} = DATE'{as_of}'"


def rows_of_dates(dates: Iterable[date]) -> str:
    """SQL predicate of the rows of several dates, of which there is at least one."""
    listed = ", ".join(f"DATE'{day}'" for day in sorted(dates))
    return f"as_of_date IN ({listed})"
