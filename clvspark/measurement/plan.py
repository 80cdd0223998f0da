"""What measurement takes from other rooms without knowing their insides: holdout, goals, and frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import DataFrame

from clvspark.lakehouse import Lakehouse, Table

# Called with the lakehouse, ``person_id`` of those to value, the day whose models count, and the first day not known.
# ``person_id, residual_value`` of those who had bought by then; None where no model had been fitted.
ValueOn = Callable[[Lakehouse, DataFrame, date, date], DataFrame | None]


@dataclass(frozen=True)
class HoldoutPlan:
    """Which share of the persons activation means to hold out.

    Parameters
    ----------
    percent : of all audiences that are not named.
    by_audience : of audiences with a holdout of their own.
    """

    percent: float
    by_audience: Mapping[str, float] = field(default_factory=dict)

    def share(self, audience: str) -> float:
        """Planned share, from 0 to 1."""
        return self.by_audience.get(audience, self.percent) / 100

    @property
    def basis(self) -> str:
        """All of it as text: a run depends on it."""
        return f"{self.percent} {sorted(self.by_audience.items())}"


@dataclass(frozen=True)
class Goal:
    """What a moment is measured by: an outcome within so many days of the entry.

    Parameters
    ----------
    measure : orders, net_revenue, margin, visits, or residual_value at the end.
    """

    measure: str
    within_days: int


@dataclass(frozen=True)
class Valuation:
    """How persons are valued with what was known on an earlier day.

    Parameters
    ----------
    reads : tables that values are computed from.
    basis : settings that they depend on, as text.
    """

    value_on: ValueOn
    reads: tuple[Table, ...]
    basis: str
