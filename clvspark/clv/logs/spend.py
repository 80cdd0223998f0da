"""Summarise the values of a log for the spend model."""

from __future__ import annotations

from clvspark.clv.logs.split import SplitLog
from clvspark.clv.logs.summarise import Rows, fetch_rows

EXACT_ROWS = 200_000
"""Up to so many distinct spends each is kept; beyond, those within a thousandth of one another are one."""

# One row per customer with a purchase up to the end: repeat days alone make the mean, as the first one is given.
_CUSTOMER = """
    SELECT
        count(*) FILTER (day <= $end) - 1 AS frequency,
        (sum(value) FILTER (day <= $end) - arg_min(value, day))::DOUBLE
            / nullif(count(*) FILTER (day <= $end) - 1, 0) AS monetary_value,
        count(*) FILTER (day > $end AND day <= $last) AS holdout_purchases,
        (sum(value) FILTER (day > $end AND day <= $last))::DOUBLE
            / nullif(count(*) FILTER (day > $end AND day <= $last), 0) AS holdout_spend
    FROM purchase_day GROUP BY customer HAVING min(day) <= $end
"""


def summarise_spend(split: SplitLog, *, exact_rows: int = EXACT_ROWS) -> Rows:
    """Repeat customers with positive mean spend: ``frequency, monetary_value, weight``.

    ``monetary_value`` is the mean value of the purchase days after the first one, up to `calibration_end`; several
    transactions on a day are one purchase. Means of 0 are left out: the model knows positive amounts only. Of more
    than `exact_rows` distinct rows, those of one frequency within a thousandth become their own exact mean.
    """
    return _grouped(
        split, "frequency > 0 AND monetary_value > 0", ["monetary_value"], exact_rows=exact_rows
    )


def summarise_holdout_spend(split: SplitLog, *, exact_rows: int = EXACT_ROWS) -> Rows:
    """Customers who came back in the holdout: `summarise_spend`, and ``holdout_spend``, their mean of a purchase day.

    Those without a repeat purchase before are among them, with a monetary_value of 0.
    """
    came_back = "holdout_purchases > 0 AND (frequency = 0 OR monetary_value > 0)"
    return _grouped(split, came_back, ["monetary_value", "holdout_spend"], exact_rows=exact_rows)


def count_worthless(split: SplitLog) -> int:
    """Repeat customers whose mean spend is 0, which no spend model knows."""
    found = fetch_rows(
        split, f"SELECT count(*) AS n FROM ({_CUSTOMER}) WHERE frequency > 0 AND monetary_value = 0"
    )
    return int(found["n"][0])


def _grouped(split: SplitLog, where: str, spends: list[str], *, exact_rows: int) -> Rows:
    names = ", ".join(spends)
    zeroed = f"SELECT frequency, {', '.join(f'coalesce({one}, 0) AS {one}' for one in spends)} FROM ({_CUSTOMER})"
    query = f"{zeroed} WHERE {where}"
    distinct = f"SELECT frequency, {names}, count(*) AS weight FROM ({query}) GROUP BY ALL"
    found = fetch_rows(split, f"{distinct} ORDER BY ALL LIMIT {exact_rows + 1}")
    if len(found["weight"]) <= exact_rows:
        return found
    # log(0) has no step: 0 stays by itself.
    steps = ", ".join(
        f"CASE WHEN {one} > 0 THEN floor(ln({one}) / 0.001) END AS step_{at}"
        for at, one in enumerate(spends)
    )
    means = ", ".join(f"sum({one}::DECIMAL(38, 12))::DOUBLE / count(*) AS {one}" for one in spends)
    grouped = ", ".join(f"step_{at}" for at in range(len(spends)))
    return fetch_rows(
        split,
        f"""
        SELECT frequency, {means}, count(*) AS weight
        FROM (SELECT *, {steps} FROM ({query})) GROUP BY frequency, {grouped} ORDER BY ALL
        """,
    )
