"""Summarise the purchase days of a log into what the models are fitted to: distinct weighted rows.

However many customers a log has, only their distinct summaries reach Python, each with `weight`, its customers.
"""

from __future__ import annotations

import numpy as np

from clvspark.clv.logs.split import SplitLog
from clvspark.clv.models.base import MAX_GROUPS
from clvspark.clv.models.errors import TooManyGroupsError
from clvspark.clv.models.summary import FloatArray

Rows = dict[str, FloatArray]


def summarise_purchases(split: SplitLog) -> Rows:
    """Frequency, recency and T in the time unit, of customers with a purchase up to `calibration_end`.

    - ``frequency``: purchase days after the first one, up to `calibration_end`;
    - ``recency``: last less first purchase day, 0 without a repeat purchase;
    - ``T``: `calibration_end` less first purchase day;
    - ``log_intervals``: sum of the natural logarithms of the times between purchase days, its mean over the customers
      of the row, so that weighted sums are exact;
    - ``recent_purchases``: repeat purchase days within the last `horizon` before `calibration_end`, its mean;
    - ``holdout_purchases``: purchase days after `calibration_end`, through `holdout_end`;
    - ``weight``: customers alike in frequency, recency, T and holdout_purchases.
    """
    days = split.time_unit.days
    found = _fetch(
        split,
        f"""
        WITH purchase AS (
            SELECT customer, day, day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS gap
            FROM purchase_day
        ), customer AS (
            SELECT
                count(*) FILTER (day <= $end) - 1 AS frequency,
                max(day) FILTER (day <= $end) - min(day) AS recency_days,
                $end - min(day) AS t_days,
                count(*) FILTER (day > $end AND day <= $last) AS holdout_purchases,
                count(*) FILTER (day <= $end AND $end - day < $last - $end AND gap IS NOT NULL) AS recent,
                -- Decimals add up to the same in any order.
                coalesce(sum(ln(gap)::DECIMAL(18, 12)) FILTER (day <= $end), 0) AS log_gaps
            FROM purchase GROUP BY customer HAVING min(day) <= $end
        )
        SELECT
            frequency, recency_days, t_days, holdout_purchases,
            sum(log_gaps)::DOUBLE / count(*) AS log_gaps,
            sum(recent)::DOUBLE / count(*) AS recent_purchases,
            count(*) AS weight
        FROM customer GROUP BY ALL ORDER BY ALL
        LIMIT {MAX_GROUPS + 1}
        """,
    )
    found["recency"] = found.pop("recency_days") / days
    found["T"] = found.pop("t_days") / days
    found["log_intervals"] = found.pop("log_gaps") - found["frequency"] * np.log(days)
    return found


def summarise_periods(split: SplitLog) -> Rows:
    """Frequency, recency and T in whole periods, for models in which a period is an opportunity or a contract.

    Periods are those of the calendar: days, weeks from Monday, months, years. That of a customer's first purchase is
    the period of acquisition; those after it, through the period of `calibration_end`, are the opportunities.

    - ``frequency``: opportunities in which the customer purchased, however often in one;
    - ``recency``: number of the last one of these, 0 for none;
    - ``T``: number of opportunities, the same for all of one cohort;
    - ``holdout_purchases``: periods after that of `calibration_end`, through that of `holdout_end`, with a purchase;
    - ``weight``: customers of the row.

    As renewals of a contract: recency is the last period in which the contract was paid, so a customer of recency < T
    cancelled at renewal recency + 1, and one of recency = T is still a customer (censored).
    """
    end = split.period_of(split.calibration_end)
    return _fetch(
        split,
        f"""
        WITH active AS (
            SELECT DISTINCT customer, {split.period_sql("day")} AS period, day <= $end AS known
            FROM purchase_day WHERE day <= $last
        ), customer AS (
            SELECT
                count(*) FILTER (known) - 1 AS frequency,
                max(period) FILTER (known) - min(period) AS recency,
                {end} - min(period) AS T,
                count(*) FILTER (period > {end}) AS holdout_purchases
            FROM active GROUP BY customer HAVING bool_or(known)
        )
        SELECT *, count(*) AS weight FROM customer GROUP BY ALL ORDER BY ALL LIMIT {MAX_GROUPS + 1}
        """,
    )


def count_customers(split: SplitLog) -> int:
    """Customers with a purchase up to `calibration_end`."""
    found = split.log.connection.execute(
        "SELECT count(DISTINCT customer) FROM purchase_day WHERE day <= $end",
        {"end": split.calibration_end},
    ).fetchone()
    return int(found[0]) if found else 0


def fetch_rows(split: SplitLog, query: str) -> Rows:
    """Columns of a query over ``purchase_day`` as floats, ``$end`` and ``$last`` being the days of the split."""
    days = {"end": split.calibration_end, "last": split.last_day}
    used = {name: day for name, day in days.items() if f"${name}" in query}
    found = split.log.connection.execute(query, used).fetchnumpy()
    return {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}


def _fetch(split: SplitLog, query: str) -> Rows:
    found = fetch_rows(split, query)
    if len(found["weight"]) > MAX_GROUPS:
        raise TooManyGroupsError(
            f"{split.log.where}: more than {MAX_GROUPS:,} distinct purchase histories; at most so many are taken into "
            "memory; cut the log to fewer customers, e.g. one cohort, and fit each apart"
        )
    return found
