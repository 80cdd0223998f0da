"""Bounds of numbers and of time, as conditions share them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from clvspark.lakehouse.strict_model import StrictModel, check


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | int | float) else value


# What its user adds around it is the list's type; a single value stands for a list of one.
ONE_OR_SEVERAL = BeforeValidator(_listed, json_schema_input_type=Any)
Words = Annotated[
    list[Annotated[str, Field(max_length=200)]],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
    Field(min_length=1, max_length=10_000),
]


def empty_range(least: float | None, most: float | None) -> Iterator[str]:
    """The fault of bounds between which nothing lies."""
    if least is not None and most is not None and least > most:
        yield f"nothing is at least {least:g} and at most {most:g}; swap the bounds"


class NumberBounds(StrictModel):
    """Bounds of a number: `at_least` and `at_most` include theirs, `above` and `below` do not."""

    at_least: float | None = Field(None, allow_inf_nan=False)
    at_most: float | None = Field(None, allow_inf_nan=False)
    above: float | None = Field(None, allow_inf_nan=False)
    below: float | None = Field(None, allow_inf_nan=False)

    @check
    def _possible(self) -> Iterator[str]:
        yield from empty_range(self.at_least, self.at_most)
        least = self.at_least if self.above is None else self.above
        most = self.at_most if self.below is None else self.below
        if (self.above, self.below) != (None, None) and None not in (least, most) and least >= most:  # type: ignore[operator]
            yield f"nothing lies between {least:g} and {most:g}; swap the bounds"

    @property
    def is_bounded(self) -> bool:
        """Whether any bound is given."""
        return any(b is not None for b in (self.at_least, self.at_most, self.above, self.below))


class Window(StrictModel):
    """When something must have happened: all time, the last days or hours, or from one date to another.

    `within_days` and `within_hours` count back from the evaluation, `until_days_ago` leaves the days just before it
    out; `since` and `until` are days (UTC), both inclusive. Given together, all must hold.
    """

    within_days: int | None = Field(None, ge=1, le=36_500)
    within_hours: int | None = Field(None, ge=1, le=876_000)
    until_days_ago: int | None = Field(None, ge=1, le=36_500)
    since: date | None = None
    until: date | None = None

    @check
    def _holds_something(self) -> Iterator[str]:
        if self.within_days is not None and self.within_hours is not None:
            yield "give either 'within_days' or 'within_hours'"
        if self.since is not None and self.until is not None and self.since > self.until:
            yield f"no day is since {self.since} and until {self.until}; swap the dates"
        hours = self.hours
        if (
            self.until_days_ago is not None
            and hours is not None
            and hours <= 24 * self.until_days_ago
        ):
            yield (
                f"nothing is within {hours} hours and more than {self.until_days_ago} days ago; make the window longer"
            )

    @property
    def hours(self) -> int | None:
        """Hours that the window reaches back, None where it has no such bound."""
        return 24 * self.within_days if self.within_days is not None else self.within_hours

    def instants(self, end: datetime) -> tuple[datetime | None, datetime]:
        """First instant of the window (None: no bound) and the first one after it, at an evaluation at `end`."""
        starts = [end - timedelta(hours=self.hours)] if self.hours is not None else []
        starts += [_midnight(self.since)] if self.since is not None else []
        ends = [end]
        ends += [end - timedelta(days=self.until_days_ago)] if self.until_days_ago else []
        ends += [_midnight(self.until + timedelta(days=1))] if self.until is not None else []
        return max(starts, default=None), min(ends)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
