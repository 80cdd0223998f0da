"""Bounds of numbers become comparisons."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from clvspark.audiences.rules import NumberBounds

_COMPARISONS: dict[str, Callable[[Column, Column], Column]] = {
    "at_least": lambda value, bound: value >= bound,
    "at_most": lambda value, bound: value <= bound,
    "above": lambda value, bound: value > bound,
    "below": lambda value, bound: value < bound,
}


def between(value: Column, low: float | None, high: float | None) -> Column:
    """Whether a number is at least `low` and at most `high`; NULL where it is NULL."""
    return _all_of(
        [value >= low if low is not None else None, value <= high if high is not None else None]
    )


def within_bounds(value: Column, bounds: NumberBounds) -> Column:
    """Whether a number is within all bounds that are given; NULL where it is NULL."""
    return _all_of(
        [
            compare(value, F.lit(bound)) if (bound := getattr(bounds, name)) is not None else None
            for name, compare in _COMPARISONS.items()
        ]
    )


def _all_of(comparisons: list[Column | None]) -> Column:
    return reduce(
        Column.__and__, (found for found in comparisons if found is not None), F.lit(True)
    )
