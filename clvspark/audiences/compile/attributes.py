"""Comparisons of attributes, each as its type allows. What is not known compares with nothing."""

from __future__ import annotations

from datetime import date
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from clvspark.audiences.compile.ranges import within_bounds
from clvspark.audiences.rules import (
    DateAttribute,
    FlagAttribute,
    NumberAttribute,
    SetAttribute,
    TextAttribute,
)


def compare_text(rule: TextAttribute) -> Column:
    """Comparisons of a text."""
    value = F.col(rule.name)
    found = [_is_known(rule.name, rule.is_known)]
    if rule.any_of is not None:
        found.append(value.isin(*rule.any_of))
    if rule.none_of is not None:
        found.append(~value.isin(*rule.none_of))
    if rule.starts_with is not None:
        found.append(F.startswith(value, F.lit(rule.starts_with)))
    if rule.contains is not None:
        found.append(F.contains(value, F.lit(rule.contains)))
    return _all(found)


def compare_number(rule: NumberAttribute) -> Column:
    """Comparisons of a number."""
    value = F.col(rule.name)
    found = [_is_known(rule.name, rule.is_known), within_bounds(value, rule)]
    if rule.any_of is not None:
        found.append(value.cast("double").isin(*rule.any_of))
    return _all(found)


def compare_date(rule: DateAttribute, today: date) -> Column:
    """Comparisons of a day, on the first day that is not known."""
    value, now = F.col(rule.name), F.lit(today)
    days_ago = F.date_diff(now, value)
    found = [_is_known(rule.name, rule.is_known)]
    if rule.since is not None:
        found.append(value >= F.lit(rule.since))
    if rule.until is not None:
        found.append(value <= F.lit(rule.until))
    if rule.at_least_days_ago is not None:
        found.append(days_ago >= rule.at_least_days_ago)
    if rule.at_most_days_ago is not None:
        found.append(days_ago <= rule.at_most_days_ago)
    if rule.anniversary_within_days is not None:
        found.append(days_to_anniversary(value, today) <= rule.anniversary_within_days)
    return _all(found)


def days_to_anniversary(value: Column, today: date) -> Column:
    """Days from `today` to the next return of a day, 0 on it; of 29 February it is the 28th in other years."""
    now = F.lit(today)
    years = F.lit(today.year) - F.year(value)
    this = F.add_months(value, (years * 12).cast("int"))
    following = F.add_months(value, ((years + 1) * 12).cast("int"))
    return F.date_diff(F.when(this >= now, this).otherwise(following), now)


def compare_flag(rule: FlagAttribute) -> Column:
    """Yes or no."""
    return F.col(rule.name) == F.lit(rule.is_true)


def compare_set(rule: SetAttribute) -> Column:
    """Comparisons of a set of texts."""
    value = F.col(rule.name)
    found = [_is_known(rule.name, rule.is_known)]
    if rule.any_of is not None:
        found.append(reduce(Column.__or__, (F.array_contains(value, text) for text in rule.any_of)))
    if rule.all_of is not None:
        found += [F.array_contains(value, text) for text in rule.all_of]
    if rule.none_of is not None:
        found += [~F.array_contains(value, text) for text in rule.none_of]
    return _all(found)


def _is_known(name: str, wanted: bool | None) -> Column:
    if wanted is None:
        return F.lit(True)
    return F.col(name).isNotNull() if wanted else F.col(name).isNull()


def _all(found: list[Column]) -> Column:
    return reduce(Column.__and__, found)
