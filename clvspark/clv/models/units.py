"""Time units of the models, and discount rates converted into them."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

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

    @property
    def days(self) -> float:
        """How many days one of these units has; a month is a twelfth of a (Julian) year."""
        return 7.0 if self is TimeUnit.WEEK else DAYS_PER_YEAR / self.periods_per_year

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
    rate = _checked_rate("annual_discount_rate", annual_discount_rate, "0.1 means 10 % a year")
    return math.log1p(rate) / time_unit.periods_per_year


def choose_discount_rate(
    annual_discount_rate: float | None, discount_rate_per_unit: float | None, time_unit: TimeUnit
) -> float:
    """Continuously compounded rate delta of one time unit, of the one of the two that is given.

    `discount_rate_per_unit` is delta itself: a purchase t units ahead is worth exp(-delta t).
    """
    if (annual_discount_rate is None) == (discount_rate_per_unit is None):
        raise InvalidArgumentError(
            "annual_discount_rate, discount_rate_per_unit: give exactly one of them; the first is "
            "effective a year, the second compounded continuously in each time unit of the model"
        )
    if annual_discount_rate is not None:
        return continuous_discount_rate(annual_discount_rate, time_unit)
    meaning = f"0.0027 means about 0.27 % a {time_unit.value}"
    return _checked_rate("discount_rate_per_unit", discount_rate_per_unit, meaning)


def _checked_rate(name: str, rate: Any, meaning: str) -> float:
    try:
        # A text is no rate, whatever it says: of '15%' and '15' nobody knows which is meant.
        number = math.nan if isinstance(rate, str) else float(rate)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0.0):
        raise InvalidArgumentError(
            f"{name}: must be a finite number >= 0 ({meaning}); got {rate!r}"
        )
    return number
