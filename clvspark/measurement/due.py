"""How far orders are known, and which earlier activations have come to the end of their window since."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.history.tables import ORDER
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.dates import day_of_acting
from clvspark.measurement.outcomes import count_days_observed, last_order_day


def read_today() -> date:
    """The day of today, UTC: orders of days to come are nothing observed."""
    return datetime.now(UTC).date()


def name_day(today: date, *, as_of: date, window_days: int) -> dict[str, str]:
    """`today` as what a run of `as_of` depends on: once its window is over, the days that count are over as well."""
    return {"today": str(min(today, as_of + timedelta(days=window_days)))}


def read_last_order_day(lake: Lakehouse, *, today: date) -> date | None:
    """The last day that is over and that orders are known of; None where there are none.

    Of a day that goes on, more may come: a window that ends with it is not over.
    """
    yesterday = today - timedelta(days=1)
    last: date | None = last_order_day(lake.read(ORDER), until=yesterday).collect()[0][0]
    return last


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


def list_unseen(
    assigned: DataFrame,
    windows: DataFrame,
    last_day: date | None,
    *,
    as_of: date,
    window_days: int,
) -> list[date]:
    """Days before `as_of` on which the stream acted, of whose window, which is over now, nothing was written down yet.

    In: activation.assignment, of which a row a day is collected; measurement.window. The stages that begin a day of the
    stream are as of the next one, so that no run need have been as of the day itself.
    """
    day = day_of_acting().alias("as_of_date")
    streamed = assigned.where("acted_on < as_of_date").where(day < F.lit(as_of))
    seen = windows.select("as_of_date")
    unseen = streamed.select(day).distinct().join(seen, on="as_of_date", how="left_anti")
    days = [row["as_of_date"] for row in unseen.collect()]
    return sorted(day for day in days if _is_over(last_day, day, window_days))


def _is_over(last_day: date | None, as_of: date, window_days: int) -> bool:
    return count_days_observed(last_day, as_of=as_of, window_days=window_days) >= window_days
