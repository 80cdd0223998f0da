"""What reporting takes from other rooms without knowing their insides: what customers are expected to bring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame

from clvspark.lakehouse import Lakehouse

# Called with the lakehouse, the first day not known, and days after it at which spans of time end: ``span, customers,
# purchases, value``, one row a span; None where no model had been fitted.
Expect = Callable[[Lakehouse, date, Sequence[int]], DataFrame | None]


@dataclass(frozen=True)
class Outlook:
    """How what is to come is expected, and which value it is.

    Parameters
    ----------
    value : margin or revenue.
    champion_rule : what the model that values everybody has of all candidates, in words.
    basis : settings that it depends on, as text.
    """

    expect: Expect
    value: str
    horizon_days: int
    annual_discount_rate: float
    champion_rule: str
    basis: str
