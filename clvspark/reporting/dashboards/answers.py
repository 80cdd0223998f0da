"""What widgets are answered: groups with their numbers, for every choice that readers may make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from clvspark.reporting.dashboards.parts import Dimension, Rows
from clvspark.reporting.dashboards.statements import Question, build_statement
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
    is_small : of fewer persons than may be told of, so its cells are empty.
    """

    keys: tuple[Any, ...]
    names: tuple[str, ...]
    cells: tuple[Cell, ...]
    places: tuple[Any, ...] = ()
    persons: float | None = None
    is_small: bool = False


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
            self._connection.register(name, table)

    def ask(self, question: Question, *, as_of: date | None = None) -> dict[Choices, list[Group]]:
        """The groups of each choice, in no order; `as_of` is another date than the one reported."""
        statement, values = build_statement(question, self.datasets, as_of=as_of or self.as_of)
        cursor = self._connection.execute(statement, values)
        names = [column[0] for column in cursor.description or ()]
        found: dict[Choices, list[Group]] = {}
        for row in cursor.fetchall():
            told = dict(zip(names, row, strict=True))
            flags = [(told[f"g{n}"], told[f"f{n}"]) for n in range(len(question.choices))]
            if any(not is_all and value is None for is_all, value in flags):
                continue
            choice = tuple(None if is_all else str(value) for is_all, value in flags)
            found.setdefault(choice, []).append(self._read_group(question, told))
        return {choice: self._hide(groups) for choice, groups in found.items()}

    def dates_before(self, dataset: Dataset) -> date | None:
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

    def _read_group(self, question: Question, told: Mapping[str, Any]) -> Group:
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

    def _hide(self, groups: list[Group]) -> list[Group]:
        """Without the numbers of few persons; where only one group is hidden, the next smallest is with it."""
        counted = sorted(
            (g.persons, n) for n, g in enumerate(groups) if g.persons is not None and g.persons > 0
        )
        small = [n for persons, n in counted if persons < self.smallest_group]
        if len(small) == 1 and len(counted) > 1:
            small = [n for _, n in counted[:2]]
        for n in small:
            old = groups[n]
            cells = tuple(Cell(None) for _ in old.cells)
            groups[n] = replace(old, cells=cells, persons=None, is_small=True)
        return groups


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
