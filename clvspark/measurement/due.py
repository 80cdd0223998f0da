"""Earlier activations whose window has come to its end since they were last looked at."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.measurement.outcomes import count_days_observed


def list_due(windows: DataFrame, last_day: date | None, *, as_of: date) -> list[date]:
    """Dates before `as_of` whose window was not over when it was last written down and is over now, oldest first.

    In: measurement.window, of which a row a date is collected; the last day that orders are known of.
    """
    earlier = windows.where(F.col("as_of_date") < F.lit(as_of))
    unfinished = earlier.where("days_observed < window_days").select("as_of_date", "window_days")
    return sorted(
        row["as_of_date"]
        for row in unfinished.collect()
        if _is_over(last_day, row["as_of_date"], row["window_days"])
    )


def _is_over(last_day: date | None, as_of: date, window_days: int) -> bool:
    return count_days_observed(last_day, as_of=as_of, window_days=window_days) >= window_days
