"""Whether records may have been of other persons on a day."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def is_of_the_past(links: DataFrame, day: date) -> bool:
    """Whether the identities of a day may be other ones than those of today.

    Of a day before the ledger began nothing is known: then the identities of today stand in.
    """
    changes = F.greatest("valid_from", "valid_to")
    first, last = links.agg(F.min("valid_from"), F.max(changes)).collect()[0]
    return first is not None and first <= day < last
