"""Whether a widget fits its dataset: its columns are there, and their types give what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from clvspark.lakehouse.strict_model import Disagreement, Location, as_known
from clvspark.reporting.dashboards.asking import Asking
from clvspark.reporting.dashboards.column_types import FLAGS, NUMBERS, as_held, in_words, kind_of
from clvspark.reporting.dashboards.parts import Measure, Scalar
from clvspark.reporting.datasets import (
    Dataset,
    did_you_mean,
    no_such_column,
    referenced_dimension,
)

_ADDED = {"sum": FLAGS, "mean": NUMBERS, "weight": NUMBERS, "per": FLAGS, "low": NUMBERS, "high": NUMBERS}  # fmt: skip

_OF_NUMBERS = ("decimal", "percent", "significant")


def find_misfits(widget: Asking, datasets: Mapping[str, Dataset]) -> Iterator[Disagreement]:
    """Where a widget asks its dataset for a column that is not there, or for what its type does not give."""
    dataset = datasets[widget.dataset]
    for asked in (_find_rows, _find_dimensions, _find_measures, _find_single_columns):
        yield from as_known(asked(widget, dataset, datasets))


def _find_rows(
    widget: Asking, dataset: Dataset, _: Mapping[str, Dataset]
) -> Iterator[Disagreement]:
    for at, name in widget.choosing_at:
        yield from _refuse_name(dataset, name, at)
    for key, name, options in widget.conditions:
        yield from _refuse_options(dataset, name, options, (key, name))


def _find_dimensions(
    widget: Asking, dataset: Dataset, datasets: Mapping[str, Dataset]
) -> Iterator[Disagreement]:
    for at, dimension in widget.dimensions_at:
        for below, name in dimension.columns_at:
            yield from _refuse_name(dataset, name, (*at, *below))
        if dimension.attribute is not None and dimension.column in dataset.table.names:
            place = (*at, "attribute")
            other = referenced_dimension(dataset, dimension.column, datasets)
            if other is None:
                sentence = f"'attribute' needs a column that refers to a dimension; {dimension.column} does not"
                yield Disagreement(sentence, place)
            else:
                yield from _refuse_name(other, dimension.attribute, place)


def _find_measures(
    widget: Asking, dataset: Dataset, _: Mapping[str, Dataset]
) -> Iterator[Disagreement]:
    for at, measure in widget.measures_at:
        yield from as_known(_refuse_measure(measure, dataset, at, is_drawn=widget.is_chart))


def _refuse_measure(
    measure: Measure, dataset: Dataset, at: Location, *, is_drawn: bool
) -> Iterator[Disagreement]:
    for below, name in measure.columns_at:
        key, place = str(below[0]), (*at, *below)
        types = _ADDED.get(key, NUMBERS if is_drawn and len(below) == 1 else ())
        yield from _refuse_name(dataset, name, place)
        yield from _refuse_type(dataset, name, types, place)
    for key, name, options in measure.conditions:
        yield from _refuse_options(dataset, name, options, (*at, key, name))
    yield from _refuse_format(measure, dataset, at)


def _refuse_format(measure: Measure, dataset: Dataset, at: Location) -> Iterator[Disagreement]:
    """Where what is no number would be written as one; the format that nobody has named is fit for all."""
    key = "format" if measure.format in _OF_NUMBERS else "digits"
    is_named = key == "format" or measure.digits is not None
    for name in filter(None, (measure.min, measure.max, measure.one)):
        columns = {column.name: column.type for column in dataset.table.columns}
        if is_named and name in columns and kind_of(columns[name]) not in NUMBERS:
            sentence = f"{dataset.name}.{name} is of type {columns[name]} and not written as a number; take {key!r} out"
            yield Disagreement(sentence, (*at, key))


def _find_single_columns(
    widget: Asking, dataset: Dataset, datasets: Mapping[str, Dataset]
) -> Iterator[Disagreement]:
    for single in widget.single_columns:
        asked = dataset if single.dataset is None else datasets[single.dataset]
        yield from _refuse_name(asked, single.name, single.at)
        yield from _refuse_type(asked, single.name, single.types, single.at)


def _refuse_name(dataset: Dataset, name: str, at: Location) -> Iterator[Disagreement]:
    for sentence in no_such_column(dataset, [name]):
        yield Disagreement(sentence, at)


def _refuse_type(
    dataset: Dataset, name: str, types: Sequence[str], at: Location
) -> Iterator[Disagreement]:
    """Where the column is of none of the types; none named: any will do."""
    columns = {column.name: column.type for column in dataset.table.columns}
    if not types or name not in columns or kind_of(columns[name]) in types:
        return
    fitting = [one for one, its_type in columns.items() if kind_of(its_type) in types]
    yield Disagreement(
        f"{dataset.name}.{name} is of type {columns[name]}; a column of type {', '.join(types)} is needed. "
        f"Allowed: {', '.join(fitting) or 'none of this dataset'}",
        at,
    )


def _refuse_options(
    dataset: Dataset, name: str, options: Sequence[Scalar], at: Location
) -> Iterator[Disagreement]:
    if name not in dataset.table.names:
        return
    column = dataset.column(name)
    if not options:
        yield Disagreement("the list has no value; take the condition out, or name one", at)
    for option in options:
        try:
            held = as_held(column.type, option)
        except ValueError:
            needed = in_words(column.type)
            sentence = f"{dataset.name}.{name} is of type {column.type} and cannot be {option!r}; write {needed}"
            yield Disagreement(sentence, at)
            continue
        if column.allowed and held not in column.allowed:
            hint = did_you_mean(held, column.allowed)
            allowed = ", ".join(column.allowed)
            yield Disagreement(
                f"{dataset.name}.{name} is never {held!r}.{hint} Allowed: {allowed}", at
            )
