"""When it was known that something had happened: on its day, or later, where nobody could have told of it before."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.lakehouse.table import Table
from clvspark.sources.tables import EVENT, SURVEY_RESPONSE

HAPPENED_AT = {EVENT: "occurred_at", SURVEY_RESPONSE: "answered_at"}
"""Tables whose rows are dated so, and the instant by which they are."""


def date_arrivals(
    rows: DataFrame, table: Table, *, published: date | None, as_of: date | None
) -> DataFrame:
    """Rows that land, with ``known_as_of`` of those that are late.

    In: rows of `table`, one of `HAPPENED_AT`; the latest date for which something was made of the table, None if
    nothing ever was; the date of the run. What happened before a date for which something was made without it is late,
    and is known from the later of the two dates on. Everything else was known on its day (NULL): so is all that the
    first run of a lakehouse brings, and in a stream, which is told of today as of tomorrow, what happens today. What
    lands again keeps what its first landing said (`Column.kept`).
    """
    if published is None:
        return rows
    since = published if as_of is None else max(published, as_of)
    first = F.date_add(F.to_date(HAPPENED_AT[table]), 1)  # that may know it
    is_late = (first <= F.lit(published)) & (first < F.lit(since))
    return rows.withColumn("known_as_of", F.when(is_late, F.lit(since)))
