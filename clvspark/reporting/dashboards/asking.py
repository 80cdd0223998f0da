"""What a widget asks of its datasets, each part with its place in the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from clvspark.lakehouse.strict_model import Location
from clvspark.reporting.dashboards.parts import Dimension, Measure, Rows

Part = TypeVar("Part")
Places = Sequence[tuple[Location, Part]]


def place_each(key: str, parts: Sequence[Part]) -> Places[Part]:
    """The parts in the list of a key, each with its place."""
    return [((key, n), part) for n, part in enumerate(parts)]


def place_one(key: str, part: Part | None) -> Places[Part]:
    """The part of a key, if there is one, with its place."""
    return [] if part is None else [((key,), part)]


@dataclass(frozen=True)
class SingleColumn:
    """A column that a key of a widget names, and the types that it may be of; none named: any will do.

    Parameters
    ----------
    dataset : that the column is of; None: that of the widget.
    """

    at: Location
    name: str
    types: Sequence[str]
    dataset: str | None = None


class Asking(Rows):
    """Rows of a dataset, in groups and with numbers; kinds of widgets say which."""

    @property
    def datasets_at(self) -> Places[str]:
        """Names of the datasets that it asks, each with its place."""
        return place_one("dataset", self.dataset)

    @property
    def dimensions_at(self) -> Places[Dimension]:
        """What its groups are told apart by, each with its place."""
        return []

    @property
    def measures_at(self) -> Places[Measure]:
        """Its numbers, each with its place."""
        return []

    @property
    def single_columns(self) -> Sequence[SingleColumn]:
        """Columns that it names by keys of its own."""
        return []

    @property
    def is_chart(self) -> bool:
        """Whether its measures are drawn, and so are numbers."""
        return True

    @property
    def dimensions_used(self) -> Sequence[Dimension]:
        """What its groups are told apart by."""
        return [dimension for _, dimension in self.dimensions_at]

    @property
    def measures_used(self) -> Sequence[Measure]:
        """Its numbers."""
        return [measure for _, measure in self.measures_at]
