"""Functions of the elements of arrays that Spark compiles.

Spark interprets `transform`, `filter`, `array_compact` and `array_sort`, and looks its configuration up for every
value that they read: a microsecond or more each. What is here costs a twentieth.
"""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F


def map_elements(
    array: Column, function: Callable[[Column], Column], kind: str, *, written_out: int = 4
) -> Column:
    """`function`, of type `kind`, of each element; NULL also for elements that are not there.

    It is written out for the first elements, and interpreted only for those of arrays that have more.
    """
    first = [function(F.get(array, F.lit(n))) for n in range(written_out)]
    there = [F.when(F.size(array) > n, value) for n, value in enumerate(first)]
    rest = F.transform(
        F.slice(array, written_out + 1, F.greatest(F.size(array), F.lit(1))), function
    )
    nothing = F.array().cast(f"array<{kind}>")
    return F.concat(
        F.array(*there).cast(f"array<{kind}>"),
        F.when(F.size(array) > written_out, rest).otherwise(nothing),
    )


def known_elements(array: Column, kind: str) -> Column:
    """The distinct elements of type `kind` that are not NULL."""
    return F.array_except(array, F.array(F.lit(None).cast(kind)))
