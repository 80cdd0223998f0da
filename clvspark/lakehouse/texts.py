"""Values of any type as texts, and as digests."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DoubleType, FloatType


def hash_columns(columns: Sequence[Column]) -> Column:
    """Hash of columns; a value that moves to another column changes it, also where the rest is NULL."""
    tagged = [part for n, column in enumerate(columns) for part in (F.lit(n), column)]
    return F.xxhash64(*tagged)


def as_text(value: Column, kind: DataType) -> Column:
    """A value of type `kind` as text; a whole number that came as floating point has no '.0'.

    pandas keeps whole numbers as floating point where one is missing: ids among them would be others' ids.
    """
    text = value.cast("string")
    if not isinstance(kind, DoubleType | FloatType):
        return text
    whole = F.when(value == F.floor(value), value.try_cast("decimal(38,0)"))
    return F.when(~F.isnan(value), F.coalesce(whole.cast("string"), text))
