"""Time units of the models, and discount rates converted into them."""

from __future__ import annotations

import math
from enum import StrEnum

from clvspark.clv.models.errors import InvalidArgumentError

DAYS_PER_YEAR = 365.25


class TimeUnit(StrEnum):
    """The unit in which recency, T and every horizon of a model are counted."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"

    @property
    def periods_per_year(self) -> float:
        """How many of these units make one (Julian) year."""
        return {
            TimeUnit.DAY: DAYS_PER_YEAR,
            TimeUnit.WEEK: DAYS_PER_YEAR / 7.0,
            TimeUnit.MONTH: 12.0,
            TimeUnit.YEAR: 1.0,
        }[self]

    @classmethod
    def parse(cls, value: TimeUnit | str) -> TimeUnit:
        """Return the unit named by `value`; raise `InvalidArgumentError` for any other name."""
        try:
            return cls(value)
        except ValueError:
            allowed = ", ".join(unit.value for unit in cls)
            raise InvalidArgumentError(
                f"time_unit: {value!r} is not a time unit; allowed: {allowed}; "
                "name the unit in which recency and T of the summary are counted"
            ) from None


def continuous_discount_rate(annual_discount_rate: float, time_unit: TimeUnit) -> float:
    """Convert an effective annual rate into the continuously compounded rate of one time unit.

    delta = ln(1 + d) / (periods per year). Fader, Hardie and Lee (2005), "RFM and CLV", section
    "Discounted expected transactions": 15 % a year is about .0027 a week.
    """
    if not (math.isfinite(annual_discount_rate) and annual_discount_rate >= 0.0):
        raise InvalidArgumentError(
            "annual_discount_rate: must be a finite number >= 0 (0.1 means 10 % a year); "
            f"got {annual_discount_rate!r}"
        )
    return math.log1p(annual_discount_rate) / time_unit.periods_per_year
