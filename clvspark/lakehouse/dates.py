"""Dates as of which things are known: rows of one date, and the day on which it is acted upon.

A table that keeps every date's own has the column ``as_of_date``, the first day that is not known. A batch acts on that
day. The stream, which looks at today, is as of tomorrow and acts today.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from pyspark.sql import Column
from pyspark.sql import functions as F


def rows_of(as_of: date, column: str = "as_of_date") -> str:
    """SQL predicate of the rows of one date: the `where` of a write that leaves other dates as they are."""
    return f"{column} = DATE'{as_of}'"


def rows_of_dates(dates: Iterable[date]) -> str:
    """SQL predicate of the rows of several dates, of which there is at least one."""
    listed = ", ".join(f"DATE'{day}'" for day in sorted(dates))
    return f"as_of_date IN ({listed})"


def goes_on(as_of: date, now: datetime) -> bool:
    """Whether it is the last day before a date, on which more may happen that counts."""
    return now.astimezone(UTC).date() == as_of - timedelta(days=1)


def find_day_of_acting(as_of: date, now: datetime | None = None) -> date:
    """The day on which what is decided as of a date is told: the date, or the day before while that goes on.

    `now` is the clock if None.
    """
    return as_of - timedelta(days=1) if goes_on(as_of, now or datetime.now(UTC)) else as_of


def day_of_acting() -> Column:
    """Of a row with ``as_of_date`` and ``acted_on``: the first day whose outcomes may follow from it."""
    return F.coalesce("acted_on", "as_of_date")
