"""Numbers as people read them; a number that is not known is a dash."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from clvspark.reporting.dashboards.parts import Measure

UNKNOWN = "\N{EN DASH}"


def whole(value: float | None) -> str:
    """``1234567.8`` as ``1,234,568``."""
    return UNKNOWN if value is None else f"{value:z,.0f}"


def decimal(value: float | None, digits: int = 2) -> str:
    """Thousands separators and a fixed number of digits."""
    return UNKNOWN if value is None else f"{value:z,.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as percentage: ``0.1234`` as ``12.3 %``."""
    return UNKNOWN if value is None else f"{value * 100:z,.{digits}f} %"


def significant(value: float | None, digits: int = 5) -> str:
    """A parameter with so many significant digits."""
    return UNKNOWN if value is None else f"{value:,.{digits}g}"


_CODE = re.compile(r"[a-z][a-z0-9]*(?:[_:][a-z0-9]+)+")


def spell_code(text: str) -> str:
    """A code in words, ``bad_value:net_revenue`` as ``bad value: net revenue``; other texts as they are."""
    return text.replace("_", " ").replace(":", ": ") if _CODE.fullmatch(text) else text


_WRITE: dict[str, tuple[Callable[[float, int], str], int]] = {
    "whole": (lambda value, _: whole(value), 0),
    "decimal": (decimal, 2),
    "percent": (percent, 1),
    "significant": (significant, 5),
}


def write_number(value: Any, measure: Measure) -> str:
    """A value of a measure as people read it."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if measure.format == "text" or not isinstance(value, int | float):
        return spell_code(str(value))
    write, digits = _WRITE[measure.format]
    return write(value, digits if measure.digits is None else measure.digits)


def write_interval(value: Any, low: float | None, high: float | None, measure: Measure) -> str:
    """A value, and in brackets its interval where it has one."""
    told = write_number(value, measure)
    if value is None or low is None or high is None:
        return told
    return f"{told} ({write_number(low, measure)} to {write_number(high, measure)})"


def axis_format(measure: Measure) -> str:
    """The format of an axis of a measure, as D3 names it."""
    if measure.format == "percent":
        return ".0%"
    if measure.format == "decimal":
        return ",.2~f"
    return ",.0f" if measure.format == "whole" else ",.4~g"
