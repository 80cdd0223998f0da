"""Whom a number is of: the rows of a dataset that have certain values in certain columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, combinations
from typing import Any

from clvspark.reporting.dashboards.column_types import as_held
from clvspark.reporting.dashboards.parts import Conditions, Rows
from clvspark.reporting.datasets import Dataset


@dataclass(frozen=True)
class Values:
    """Values of a column: those named, or all but those; None is NULL."""

    names: frozenset[str | None]
    are_excluded: bool = False

    @property
    def is_single(self) -> bool:
        """Whether it is one value."""
        return not self.are_excluded and len(self.names) == 1

    @property
    def is_nothing(self) -> bool:
        """Whether no row can have them."""
        return not self.are_excluded and not self.names

    def cover(self, other: Values) -> bool:
        """Whether all of the others are among them."""
        return self.both(other) == other

    def both(self, other: Values) -> Values:
        """Those that are in both."""
        if self.are_excluded and other.are_excluded:
            return Values(self.names | other.names, are_excluded=True)
        if self.are_excluded:
            return Values(other.names - self.names)
        if other.are_excluded:
            return Values(self.names - other.names)
        return Values(self.names & other.names)


def name_values(column_type: str, wanted: Any) -> Values:
    """The values that a condition wants, written as DuckDB writes those of the column."""
    options = wanted if isinstance(wanted, list) else [wanted]
    return Values(frozenset(spell_value(as_held(column_type, option)) for option in options))


def spell_value(value: Any) -> str | None:
    """A value as a text."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Population:
    """The rows of a dataset on a day that have certain values.

    Parameters
    ----------
    day : None of a dataset without dates.
    held : values by column; a column that is not named may have any.
    """

    dataset: str
    day: date | None
    held: frozenset[tuple[str, Values]]

    def narrow(self, column: str, values: Values) -> Population:
        """Those of them that have the values."""
        held = dict(self.held)
        held[column] = held[column].both(values) if column in held else values
        return replace(self, held=frozenset(held.items()))

    def narrow_by(self, conditions: Conditions, dataset: Dataset) -> Population:
        """Those of them that hold conditions."""
        found = self
        for name, wanted in conditions.items():
            found = found.narrow(name, name_values(dataset.column(name).type, wanted))
        return found

    def widen(self, columns: Iterable[str]) -> Population:
        """With any values in the columns."""
        gone = {*columns}
        return replace(self, held=frozenset(pair for pair in self.held if pair[0] not in gone))

    def is_apart(self, other: Population) -> bool:
        """Whether no row is in both."""
        held = dict(other.held)
        return any(c in held and held[c].both(values).is_nothing for c, values in self.held)

    @property
    def sets_of_columns(self) -> Iterator[tuple[str, ...]]:
        """All sets of columns that it has values of."""
        names = sorted(name for name, _ in self.held)
        sizes = range(1, len(names) + 1)
        return chain.from_iterable(combinations(names, size) for size in sizes)


def choose_population(rows: Rows, dataset: Dataset, day: date) -> Population:
    """The rows that a widget asks, of all groups and choices."""
    found = Population(dataset.name, day if dataset.has_dates else None, frozenset())
    found = found.narrow_by(rows.filter, dataset)
    for name, wanted in rows.exclude.items():
        values = name_values(dataset.column(name).type, wanted)
        found = found.narrow(name, replace(values, are_excluded=True))
    for name in rows.known:
        found = found.narrow(name, Values(frozenset({None}), are_excluded=True))
    for name in rows.newest:
        # Which value is the newest is not known before it is asked for.
        found = found.narrow(f"newest {name}", Values(frozenset({"true"})))
    return found


Counts = Mapping[Population, float]
"""Persons of populations."""
