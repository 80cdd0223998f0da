"""What widgets ask, as SQL: one statement each, for every choice that readers may make.

Names are those of contracts, to which the definitions of widgets are held; values are bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from clvspark.reporting.dashboards.column_types import as_held
from clvspark.reporting.dashboards.parts import Conditions, Dimension, Measure, Rows, Scalar
from clvspark.reporting.datasets import AS_OF, Dataset, referenced_dimension


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


def build_statement(
    question: Question, datasets: Mapping[str, Dataset], *, as_of: date
) -> tuple[str, list[Any]]:
    """SQL of a question and the values that it binds.

    One row a choice and group: ``g0 ...`` whether all values of a choice count, ``f0 ...`` its value, ``d0, n0 ...``
    key and name of each dimension, ``m0, l0, h0 ...`` each measure with its interval, ``persons`` of the group, and
    ``p0, q0 ...`` those of each measure's ``where`` and ``per_where``.
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
        column = dataset.column(name)
        kind = column.type.replace("string", "VARCHAR")
        marks = ", ".join(f"CAST(? AS {kind})" for _ in options)
        parts.append(f'{prefix}"{name}" IN ({marks})')
        values += [as_held(column.type, option) for option in options]
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
        for part, wanted in (("p", measure.where), ("q", measure.per_where)):
            if wanted:
                of, bound = _hold(wanted, dataset)
                found.append(f'{_count(dataset)} FILTER (WHERE {" AND ".join(of)}) AS "{part}{n}"')
                values += bound
    return [*found, f"{_count(dataset)} AS persons"], values


def _count(dataset: Dataset) -> str:
    """The persons of rows; NULL where rows tell nothing of persons."""
    return f'sum("{dataset.persons}")' if dataset.persons else "sum(NULL)"


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
