"""What widgets are made of: rows of a dataset, measures of them, and dimensions to tell them apart by."""

from __future__ import annotations

import datetime as dt
import string
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from clvspark.lakehouse.strict_model import Disagreement, Location, StrictModel, as_known, check

Scalar = bool | int | float | str | dt.date | dt.datetime
Conditions = dict[str, Scalar | list[Scalar]]
NumberFormat = Literal["whole", "decimal", "percent", "significant", "text"]
AGGREGATES = ("sum", "mean", "min", "max", "one")
_CONDITIONS = "column: value, or a list of values of which one must hold"


PLACEHOLDERS = {
    "as_of": "the day that is reported",
    "currency": "of the lakehouse",
    "value": "what is valued: margin or revenue",
    "horizon_days": "of the predictions",
    "champion_rule": "what the model that values everybody has of all candidates, in words",
    "window_days": "days after as_of in which what came true is counted",
    "window_so_far": "how much of these days is known, in words",
    "period": "first and last day of the history, as a sentence",
}
"""What texts that are shown may hold in braces."""
_SHOWN = ("title", "lead", "hint", "label", "text", "empty", "drill")


class Texts(StrictModel):
    """What has texts that are shown."""

    @check
    def _placeholders_that_are(self) -> Iterator[Disagreement]:
        for name in _SHOWN:
            yield from as_known(self._refuse_placeholders(name))

    def _refuse_placeholders(self, name: str) -> Iterator[Disagreement]:
        text = getattr(self, name, "")
        if isinstance(text, str):
            for sentence in _no_such_placeholder(text):
                yield Disagreement(sentence, (name,))


def _no_such_placeholder(text: str) -> Iterator[str]:
    try:
        named = {part for _, part, _, _ in string.Formatter().parse(text) if part is not None}
    except ValueError:
        yield "a brace stands alone; write {{ or }} for a brace itself"
        return
    for part in sorted(named - {*PLACEHOLDERS}):
        yield f"there is no {{{part}}}. Allowed: {', '.join(PLACEHOLDERS)}"


def _options(key: str, wanted: Conditions) -> Iterator[tuple[str, str, list[Scalar]]]:
    for name, value in wanted.items():
        yield key, name, value if isinstance(value, list) else [value]


class Measure(Texts):
    """One number of each group of rows: an aggregate of a column, and how it is written."""

    label: str = Field(min_length=1, description="what it is, with its unit")
    sum: str | None = Field(None, description="column")
    mean: str | None = Field(None, description="column; with 'weight' the weighted mean")
    min: str | None = Field(None, description="column")
    max: str | None = Field(None, description="column")
    one: str | None = Field(
        None, description="column that has one value in a group; several are shown as none"
    )
    weight: str | None = Field(None, description="column that weighs 'mean'")
    per: str | None = Field(None, description="column whose sum 'sum' is divided by")
    per_where: Conditions = Field(
        {}, description="rows whose 'per' counts; by default those of 'where'"
    )
    share: bool = Field(False, description="as a share of the sum over all groups")
    low: str | None = Field(None, description="column with the lower end of an interval")
    high: str | None = Field(None, description="column with the upper end of an interval")
    where: Conditions = Field({}, description=f"of these rows only; {_CONDITIONS}")
    format: NumberFormat = "whole"
    digits: int | None = Field(None, ge=0, le=9, description="after the point; by the format")

    @property
    def aggregate(self) -> tuple[str, str]:
        """Name of the aggregate and its column."""
        return next((name, getattr(self, name)) for name in AGGREGATES if getattr(self, name))

    @property
    def columns_at(self) -> Iterator[tuple[Location, str]]:
        """Columns that it needs, each with its place."""
        for key in (*AGGREGATES, "weight", "per", "low", "high"):
            if name := getattr(self, key):
                yield (key,), name
        yield from (((key, name), name) for key, name, _ in self.conditions)

    @property
    def conditions(self) -> Iterator[tuple[str, str, list[Scalar]]]:
        """What rows must hold to count: key, column and the values of which one must be the column's."""
        yield from _options("where", self.where)
        yield from _options("per_where", self.per_where)

    @check
    def _one_aggregate(self) -> Iterator[str]:
        if sum(getattr(self, name) is not None for name in AGGREGATES) != 1:
            yield f"a measure has one of {', '.join(AGGREGATES)}, with a column"

    @check
    def _what_belongs_together(self) -> Iterator[str]:
        if self.weight and not self.mean:
            yield "'weight' goes with 'mean'"
        if (self.per or self.share) and not self.sum:
            yield "'per' and 'share' go with 'sum'"
        if self.per_where and not self.per:
            yield "'per_where' goes with 'per'"
        if self.per and self.share:
            yield "a measure has 'per' or 'share', not both"
        if (self.low is None) != (self.high is None):
            yield "'low' and 'high' go together"


class Labelled(Texts):
    """A column, and how its values are shown."""

    column: str = Field(description="of the dataset; an id of a dimension is shown by its name")
    label: str = Field("", description="heading; by default the name of the column")
    names: dict[str, str] = Field({}, description="value: the text that is shown for it")
    order: list[str] = Field([], description="values in the order in which they are shown")

    @property
    def title(self) -> str:
        """Its heading."""
        return self.label or self.column.removesuffix("_id").replace("_", " ").capitalize()


class Dimension(Labelled):
    """What groups of rows are told apart by."""

    attribute: str | None = Field(
        None, description="column of the dimension that 'column' refers to, in place of its name"
    )
    step: Literal["day", "month"] = Field("day", description="how dates are written")
    sorted_by: str | None = Field(None, description="column that the values are sorted by")

    @property
    def columns_at(self) -> Iterator[tuple[Location, str]]:
        """Columns of the dataset that it needs, each with its place."""
        yield ("column",), self.column
        if self.sorted_by:
            yield ("sorted_by",), self.sorted_by

    @property
    def source(self) -> str:
        """The column that groups are told apart by: its own, or of the dimension that it refers to."""
        return f"{self.column}.{self.attribute}" if self.attribute else self.column


class Rows(StrictModel):
    """Which rows of which dataset; of a dataset with dates those of the day that is reported."""

    dataset: str = Field(description="table of the star schema, or an aggregate of another room")
    filter: Conditions = Field({}, description=_CONDITIONS)
    exclude: Conditions = Field({}, description="the rows left out, told as those of 'filter'")
    known: list[str] = Field([], description="columns that are not NULL")
    newest: list[str] = Field([], description="columns that have their greatest value")

    @property
    def conditions(self) -> Iterator[tuple[str, str, list[Scalar]]]:
        """By which values rows are chosen or left out: key, column and values."""
        yield from _options("filter", self.filter)
        yield from _options("exclude", self.exclude)

    @property
    def choosing_at(self) -> Iterator[tuple[Location, str]]:
        """Columns by which rows are chosen, each with its place."""
        yield from (((key, name), name) for key, name, _ in self.conditions)
        for key, names in (("known", self.known), ("newest", self.newest)):
            yield from (((key, n), name) for n, name in enumerate(names))
