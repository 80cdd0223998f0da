"""Widgets asked of the tables: one statement each, for every choice that readers may make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from clvspark.reporting.dashboards.parts import Conditions, Dimension, Measure, Rows, Scalar
from clvspark.reporting.datasets import AS_OF, Dataset, referenced_dimension

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


@dataclass(frozen=True)
class Question:
    """What a widget asks.

    Parameters
    ----------
    choices : columns that readers may choose a value of.
    """

    rows: Rows
    dimensions: Sequence[Dimension]
    measures: Sequence[Measure]
    choices: Sequence[str] = ()


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


def build_statement(
    question: Question, datasets: Mapping[str, Dataset], *, as_of: date
) -> tuple[str, list[Any]]:
    """SQL of a question and the values that it binds.

    One row a choice and group: ``g0 ...`` whether all values of a choice count, ``f0 ...`` its value, ``d0, n0 ...``
    key and name of each dimension, ``m0, l0, h0 ...`` each measure with its interval, ``persons``.
    """
    dataset = datasets[question.rows.dataset]
    inner, joins = ["t.*"], []
    for n, column in enumerate(question.choices):
        inner.append(f'CAST(t."{column}" AS VARCHAR) AS "f{n}"')
    for n, dimension in enumerate(question.dimensions):
        key, name, join = _name_dimension(dimension, n, dataset, datasets)
        inner += [f'{key} AS "d{n}"', f'{name} AS "n{n}"']
        joins += [join] if join else []
    conditions, bound = _conditions(question, dataset, as_of)
    aggregates, more = _aggregates(question, dataset)
    chosen = [f'"f{n}"' for n in range(len(question.choices))]
    told = [f'CAST(GROUPING({name}) AS BOOLEAN) AS "g{name[2:-1]}", {name}' for name in chosen]
    groups = [f'"d{n}"' for n in range(len(question.dimensions))]
    told += [f'"d{n}", any_value("n{n}") AS "n{n}"' for n in range(len(question.dimensions))]
    told += [
        f'min("{dimension.sorted_by}") AS "o{n}"'
        for n, dimension in enumerate(question.dimensions)
        if dimension.sorted_by
    ]
    grouping = ", ".join([*groups, *([f"CUBE ({', '.join(chosen)})"] if chosen else [])])
    statement = (
        f'WITH asked AS (SELECT {", ".join(inner)} FROM "{dataset.name}" t {" ".join(joins)}'
        f"{' WHERE ' + ' AND '.join(conditions) if conditions else ''}) "
        f"SELECT {', '.join([*told, *aggregates])} FROM asked"
        f"{' GROUP BY ' + grouping if grouping else ''}"
    )
    return statement, [*bound, *more]


def _name_dimension(
    dimension: Dimension, number: int, dataset: Dataset, datasets: Mapping[str, Dataset]
) -> tuple[str, str, str]:
    """Key and name of a dimension, and the join that finds them."""
    own = f't."{dimension.column}"'
    other = referenced_dimension(dataset, dimension.column, datasets)
    shown = dimension.attribute or "name"
    if other is None or shown not in other.table.names:
        return own, own, ""
    alias, key = f"j{number}", other.table.key[0]
    join = f'LEFT JOIN "{other.name}" {alias} ON {alias}."{key}" = {own}'
    if dimension.attribute:
        return f'{alias}."{shown}"', f'{alias}."{shown}"', join
    return own, f'coalesce({alias}."{shown}", {own})', join


def _conditions(question: Question, dataset: Dataset, as_of: date) -> tuple[list[str], list[Any]]:
    rows = question.rows
    parts, values = _hold(rows.filter, dataset, prefix="t.")
    for name, wanted in rows.exclude.items():
        conditions, bound = _hold({name: wanted}, dataset, prefix="t.")
        parts.append(f"NOT coalesce({conditions[0]}, false)")
        values += bound
    parts += [f't."{name}" IS NOT NULL' for name in rows.known]
    if dataset.has_dates:
        over_time = any(dimension.column == AS_OF for dimension in question.dimensions)
        parts.append(f"t.{AS_OF} {'<=' if over_time else '='} ?")
        values.append(as_of)
    for name in rows.newest:
        dated = f" WHERE {AS_OF} = ?" if dataset.has_dates else ""
        parts.append(f't."{name}" = (SELECT max("{name}") FROM "{dataset.name}"{dated})')
        values += [as_of] if dataset.has_dates else []
    return parts, values


def _hold(wanted: Conditions, dataset: Dataset, *, prefix: str = "") -> tuple[list[str], list[Any]]:
    parts, values = [], []
    for name, value in wanted.items():
        options: list[Scalar] = value if isinstance(value, list) else [value]
        kind = dataset.column(name).type.replace("string", "VARCHAR")
        marks = ", ".join(f"CAST(? AS {kind})" for _ in options)
        parts.append(f'{prefix}"{name}" IN ({marks})')
        values += options
    return parts, values


def _aggregates(question: Question, dataset: Dataset) -> tuple[list[str], list[Any]]:
    found, values = [], []
    for n, measure in enumerate(question.measures):
        conditions, bound = _hold(measure.where, dataset)
        where = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
        function, column = measure.aggregate
        for part, name in (("m", column), ("l", measure.low), ("h", measure.high)):
            if name is not None:
                expression, times = _aggregate(measure, function, name, where)
                if measure.per:
                    of, whole = _hold(measure.per_where or measure.where, dataset)
                    expression = f"{expression} / {_whole(measure.per, of)}"
                found.append(f'{expression} AS "{part}{n}"')
                values += bound * times + (whole if measure.per else [])
    persons = f'sum("{dataset.persons}")' if dataset.persons else "NULL"
    return [*found, f"{persons} AS persons"], values


def _aggregate(measure: Measure, function: str, column: str, where: str) -> tuple[str, int]:
    """The expression of an aggregate, and how often it says `where`."""
    if function == "one":
        return (
            f'CASE WHEN count(DISTINCT "{column}"){where} = 1 THEN any_value("{column}"){where} END',
            2,
        )
    if measure.weight:
        weights = f'CASE WHEN "{column}" IS NOT NULL THEN "{measure.weight}" END'
        return (
            f'sum("{column}" * "{measure.weight}"){where} / nullif(sum({weights}){where}, 0)',
            2,
        )
    name = "avg" if function == "mean" else function
    expression = f'{name}("{column}"){where}'
    return f"CAST({expression} AS DOUBLE)" if measure.per else expression, 1


def _whole(column: str, conditions: Sequence[str]) -> str:
    """What a sum is divided by."""
    where = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
    return f'nullif(sum("{column}"){where}, 0)'


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
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    return (
        float(value) if isinstance(value, Decimal | int) and not isinstance(value, bool) else value
    )
