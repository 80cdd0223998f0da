"""What widgets are answered: groups with their numbers, for every choice that readers may make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from clvspark.reporting.dashboards.parts import Conditions, Dimension, Measure, Rows
from clvspark.reporting.dashboards.populations import (
    Counts,
    Population,
    Values,
    choose_population,
    spell_value,
)
from clvspark.reporting.dashboards.statements import Question, build_statement
from clvspark.reporting.dashboards.suppression import find_hidden
from clvspark.reporting.datasets import AS_OF, Dataset
from clvspark.reporting.formats import spell_code

# One value of each choice, None: all of them.
Choices = tuple[str | None, ...]


@dataclass(frozen=True)
class Cell:
    """A number of a group, and the ends of its interval; None where it is unknown or of too few persons."""

    value: Any
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Group:
    """Rows that are alike in all dimensions.

    Parameters
    ----------
    keys, names : of each dimension its value, and the text that is shown for it.
    places : of each dimension what its value is sorted by, None where nothing is said.
    persons : None where they are too few to be told, or where rows tell nothing of persons.
    is_small : some of its cells are empty, as too few persons would be told of.
    """

    keys: tuple[Any, ...]
    names: tuple[str, ...]
    cells: tuple[Cell, ...]
    places: tuple[Any, ...] = ()
    persons: float | None = None
    is_small: bool = False


@dataclass(frozen=True)
class Answer:
    """A group of a choice, before it is known what may be told of it.

    Parameters
    ----------
    own : population of the group.
    cells : of each measure the populations that its number is of.
    counts : persons of all of them.
    wholes : of each of them the population of all groups of the choice, of the same date.
    """

    choice: Choices
    group: Group
    own: Population
    cells: tuple[tuple[Population, ...], ...]
    counts: Counts
    wholes: Mapping[Population, Population]

    def tell(self, hidden: frozenset[Population]) -> Group:
        """The group without the numbers that are hidden."""
        lacks = [not hidden.isdisjoint(populations) for populations in self.cells]
        if self.own not in hidden and not any(lacks):
            return self.group
        cells = (
            Cell(None) if is_hidden else cell
            for cell, is_hidden in zip(self.group.cells, lacks, strict=True)
        )
        persons = None if self.own in hidden else self.group.persons
        return replace(self.group, cells=tuple(cells), persons=persons, is_small=True)


def count_persons(answers: Iterable[Answer]) -> dict[Population, float]:
    """Persons of all populations that answers tell of, and of all groups of each choice together."""
    found: dict[Population, float] = {}
    sums: dict[Population, float] = {}
    for answer in answers:
        found |= answer.counts
        for population, whole in answer.wholes.items():
            sums[whole] = sums.get(whole, 0) + answer.counts[population]
    return sums | found


class Tables:
    """The rows of all datasets in memory, for one date; names in statements are of contracts, values are bound.

    Parameters
    ----------
    smallest_group : persons of a group at least, or its numbers are not told.
    """

    def __init__(
        self,
        rows: Mapping[str, pa.Table],
        datasets: Mapping[str, Dataset],
        *,
        as_of: date,
        smallest_group: int,
    ) -> None:
        """Register the rows by the names of their datasets."""
        self._connection = duckdb.connect(
            config={"enable_external_access": "false", "threads": "1"}
        )
        self.datasets = datasets
        self.as_of = as_of
        self.smallest_group = smallest_group
        for name, table in rows.items():
            counted = datasets[name].counted if name in datasets else None
            self._connection.register(f"{name} as it is" if counted else name, table)
            if counted:
                self._connection.execute(
                    f'CREATE VIEW "{name}" AS SELECT *, {counted} AS "{datasets[name].persons}" '
                    f'FROM "{name} as it is"'
                )

    def ask(
        self,
        question: Question,
        *,
        as_of: date | None = None,
        hidden: frozenset[Population] = frozenset(),
    ) -> dict[Choices, list[Group]]:
        """The groups of each choice, in no order.

        Parameters
        ----------
        as_of : another date than the one reported.
        hidden : populations that no number may be told of, beside those of which this question alone would tell.
        """
        answers = self.answer(question, as_of=as_of)
        hidden |= find_hidden(count_persons(answers), self.smallest_group)
        found: dict[Choices, list[Group]] = {}
        for answer in answers:
            found.setdefault(answer.choice, []).append(answer.tell(hidden))
        return found

    def answer(self, question: Question, *, as_of: date | None = None) -> list[Answer]:
        """The groups of all choices, with the populations that their numbers are of."""
        day = as_of or self.as_of
        statement, values = build_statement(question, self.datasets, as_of=day)
        cursor = self._connection.execute(statement, values)
        names = [column[0] for column in cursor.description or ()]
        asked = choose_population(question.rows, self.datasets[question.rows.dataset], day)
        found = []
        for row in cursor.fetchall():
            told = dict(zip(names, row, strict=True))
            flags = [(told[f"g{n}"], told[f"f{n}"]) for n in range(len(question.choices))]
            if all(is_all or value is not None for is_all, value in flags):
                choice = tuple(None if is_all else str(value) for is_all, value in flags)
                found.append(self._read_answer(question, asked, choice, told))
        return found

    def date_before(self, dataset: Dataset) -> date | None:
        """The newest date of a dataset before the one reported."""
        if not dataset.has_dates:
            return None
        query = f'SELECT max({AS_OF}) FROM "{dataset.name}" WHERE {AS_OF} < ?'
        (found,) = self._connection.execute(query, [self.as_of]).fetchone() or (None,)
        return found

    def values_of(self, dataset: Dataset, column: str) -> dict[str, str]:
        """Values of a column on the date, each with the text that is shown for it."""
        question = Question(
            Rows(dataset=dataset.name),
            [Dimension(column=column)],
            [],  # type: ignore[call-arg]
        )
        groups = self.ask(question).get((), [])
        return {str(g.keys[0]): g.names[0] for g in groups if g.keys[0] is not None}

    def _read_answer(
        self, question: Question, asked: Population, choice: Choices, told: Mapping[str, Any]
    ) -> Answer:
        for column, value in zip(question.choices, choice, strict=True):
            if value is not None:
                asked = asked.narrow(column, Values(frozenset({value})))
        group = _read_group(question, told)
        own = asked
        for dimension, key in zip(question.dimensions, group.keys, strict=True):
            if dimension.column == AS_OF:
                asked, own = replace(asked, day=key), replace(own, day=key)
            else:
                own = own.narrow(dimension.source, Values(frozenset({spell_value(key)})))
        counts, wholes = {own: group.persons or 0.0}, {own: asked}
        dataset, cells = self.datasets[question.rows.dataset], []
        for n, measure in enumerate(question.measures):
            cell = []
            for part, conditions in _list_conditions(measure):
                population = own.narrow_by(conditions, dataset)
                cell.append(population)
                if conditions:
                    counts[population] = _plain(told[f"{part}{n}"]) or 0.0
                    wholes[population] = asked.narrow_by(conditions, dataset)
            cells.append(tuple(cell))
        return Answer(choice, group, own, tuple(cells), counts, wholes)


def _list_conditions(measure: Measure) -> Iterator[tuple[str, Conditions]]:
    """What the rows must hold that a measure is of, and those that it is divided by; each as the statement names it."""
    yield "p", measure.where
    if measure.per_where:
        yield "q", measure.per_where


def _read_group(question: Question, told: Mapping[str, Any]) -> Group:
    keys = tuple(told[f"d{n}"] for n in range(len(question.dimensions)))
    names = tuple(
        dimension.names.get(str(key), show_key(told[f"n{n}"], dimension.step))
        for n, (dimension, key) in enumerate(zip(question.dimensions, keys, strict=True))
    )
    cells = tuple(
        Cell(*(_plain(told.get(f"{part}{n}")) for part in ("m", "l", "h")))
        for n in range(len(question.measures))
    )
    places = tuple(told.get(f"o{n}") for n in range(len(question.dimensions)))
    return Group(keys, names, cells, places, _plain(told["persons"]))


def show_key(value: Any, step: str = "day") -> str:
    """The text that is shown for a value of a dimension."""
    if value is None:
        return "unknown"
    if isinstance(value, date) and step == "month":
        return f"{value:%Y-%m}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else spell_code(str(value))


def _plain(value: Any) -> Any:
    return (
        float(value) if isinstance(value, Decimal | int) and not isinstance(value, bool) else value
    )
