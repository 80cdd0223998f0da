"""What columns hold, by the types of their contracts: the values that they are compared with, and who can be summed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from clvspark.reporting.dashboards.parts import Scalar

NUMBERS = ("int", "bigint", "double", "decimal")
FLAGS = ("boolean", *NUMBERS)
"""Types whose values say yes or no, or add up."""
TIMES = ("date", "timestamp")
_WORDS = {
    "string": "a text",
    "int": "a whole number",
    "bigint": "a whole number",
    "double": "a number",
    "decimal": "a number of so many digits",
    "boolean": "true or false",
    "date": "a date, e.g. 2026-04-01",
    "timestamp": "a date and time, e.g. 2026-04-01 06:30:00",
}
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_WHOLE = re.compile(r"[+-]?\d+")


def kind_of(column_type: str) -> str:
    """The type without its digits: ``decimal`` of ``decimal(18,2)``."""
    return column_type.partition("(")[0]


def in_words(column_type: str) -> str:
    """What a value of a column of this type is."""
    return _WORDS[kind_of(column_type)]


def as_held(column_type: str, value: Scalar) -> Any:
    """A value as a column of this type holds it; ValueError where it cannot."""
    try:
        return _READ[kind_of(column_type)](value, column_type)
    except ArithmeticError:
        raise ValueError(value) from None


def _text(value: Scalar, _: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _whole(value: Scalar, column_type: str) -> int:
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise ValueError(value)
    number = _number(value, column_type)
    most = 2 ** (31 if column_type == "int" else 63)
    if number != int(number) or not -most <= number < most:
        raise ValueError(value)
    return int(number)


def _double(value: Scalar, column_type: str) -> float:
    return float(_number(value, column_type))


def _decimal(value: Scalar, column_type: str) -> Decimal:
    number = _number(value, column_type)
    digits, places = map(int, re.findall(r"\d+", column_type))
    if number != round(number, places) or abs(number) >= 10 ** (digits - places):
        raise ValueError(value)
    return number


def _number(value: Scalar, _: str) -> Decimal:
    if isinstance(value, bool | dt.date):
        raise ValueError(value)  # noqa: TRY004 - of all that cannot be held it is told alike
    return Decimal(str(value))


def _truth(value: Scalar, _: str) -> bool:
    found = _TRUTHS.get(str(value).lower())
    if found is None:
        raise ValueError(value)
    return found


def _day(value: Scalar, column_type: str) -> dt.date:
    at = _instant(value, column_type)
    if at.time() != dt.time():
        raise ValueError(value)
    return at.date()


def _instant(value: Scalar, _: str) -> dt.datetime:
    if isinstance(value, dt.date | str):
        return dt.datetime.fromisoformat(str(value))
    raise ValueError(value)


_READ: dict[str, Callable[[Scalar, str], Any]] = {
    "string": _text,
    "int": _whole,
    "bigint": _whole,
    "double": _double,
    "decimal": _decimal,
    "boolean": _truth,
    "date": _day,
    "timestamp": _instant,
}
