"""The kinds of widgets, and what each may say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from clvspark.lakehouse.strict_model import StrictModel, check, kind_given, kind_tag
from clvspark.reporting.dashboards.parts import Dimension, Measure, Rows, Texts
from clvspark.reporting.datasets import DATASETS, no_such_column, referenced_dimension

MOST_GROUPS = 30
_LIMIT = Field(MOST_GROUPS, ge=1, le=500, description="groups at most; the rest is left out")
_MEASURES = Field(min_length=1, max_length=20)
_SERIES = Field(min_length=1, max_length=4)


class Shown(Texts):
    """A title that says what is shown, and a hint how to read it."""

    title: str = Field(min_length=1)
    hint: str = ""


class Widget(Rows, Shown):
    """What every widget that asks a dataset may say."""

    wide: bool = Field(
        False, description="a chart takes the whole width; tables take what they need"
    )
    drill: str | None = Field(
        None, description="query that whoever may read the lakehouse finds the persons with"
    )
    empty: str = Field(
        "Nothing as of {as_of} yet.",
        description='said where there are no rows; with "" the widget is left out then',
    )

    @property
    def dimensions_used(self) -> Sequence[Dimension]:
        """What its groups are told apart by."""
        return []

    @property
    def measures_used(self) -> Sequence[Measure]:
        """Its numbers."""
        return []

    @property
    def columns_used(self) -> list[str]:
        """Every column of the dataset that it names."""
        columns = [dimension.column for dimension in self.dimensions_used]
        columns += [d.sorted_by for d in self.dimensions_used if d.sorted_by]
        columns += [name for measure in self.measures_used for name in measure.columns]
        return list(dict.fromkeys([*columns, *self.condition_columns]))

    @check
    def _columns_that_are(self) -> Iterator[str]:
        dataset = DATASETS.get(self.dataset)
        if dataset is not None:  # of users' own datasets the whole configuration knows
            yield from no_such_column(dataset, self.columns_used)

    @check
    def _attributes_that_are(self) -> Iterator[str]:
        dataset = DATASETS.get(self.dataset)
        for dimension in self.dimensions_used:
            if dataset is not None and dimension.attribute is not None:
                other = referenced_dimension(dataset, dimension.column)
                if other is None:
                    yield f"'attribute' needs a column that refers to a dimension; {dimension.column} does not"
                else:
                    yield from no_such_column(other, [dimension.attribute])


class NumberWidget(Widget):
    """One number, and how it has changed since the date before."""

    kind: Literal["number"]
    measure: Measure
    change: bool = Field(True, description="against the newest earlier date of the dataset")

    @property
    def measures_used(self) -> Sequence[Measure]:
        """The one."""
        return [self.measure]


class TrendWidget(Widget):
    """Lines over time: of several measures, or of one for each value of a dimension."""

    kind: Literal["trend"]
    over: Dimension = Field(description="date; as_of_date: all dates until the one reported")
    measures: list[Measure] = _SERIES
    series: Dimension | None = None

    @property
    def dimensions_used(self) -> Sequence[Dimension]:
        """Time, and the lines."""
        return [self.over, *([self.series] if self.series else [])]

    @property
    def measures_used(self) -> Sequence[Measure]:
        """A line each."""
        return self.measures


class BarWidget(Widget):
    """Bars, lying or standing, one for each value of a dimension, with up to four measures side by side."""

    kind: Literal["bar"]
    dimension: Dimension
    measures: list[Measure] = _SERIES
    stacked: bool = Field(False, description="the measures are parts of a whole")
    standing: bool = Field(False, description="for steps of a scale")
    line: Measure | None = Field(None, description="drawn as one line through all bars")
    limit: int = _LIMIT

    @property
    def dimensions_used(self) -> Sequence[Dimension]:
        """The bars."""
        return [self.dimension]

    @property
    def measures_used(self) -> Sequence[Measure]:
        """Those of a bar, and the line."""
        return [*self.measures, *([self.line] if self.line else [])]


class DecilesWidget(Widget):
    """How measures are spread over deciles, 1 the best: as bars, as lines, or added up from the best."""

    kind: Literal["deciles"]
    decile: str = Field("decile", description="column with 1 to 10; others are left out")
    measures: list[Measure] = _SERIES
    shape: Literal["bars", "lines", "concentration"] = "bars"

    @property
    def dimensions_used(self) -> Sequence[Dimension]:
        """The tenths."""
        return [Dimension(column=self.decile, label="Decile")]  # type: ignore[call-arg]

    @property
    def measures_used(self) -> Sequence[Measure]:
        """A series each."""
        return self.measures


class HeatMapWidget(Widget):
    """One number for each pair of values of two dimensions."""

    kind: Literal["heat_map"]
    rows: Dimension
    columns: Dimension
    measure: Measure
    of_first: bool = Field(False, description="each row as shares of its first number")
    limit: int = _LIMIT

    @property
    def dimensions_used(self) -> Sequence[Dimension]:
        """Down and across."""
        return [self.rows, self.columns]

    @property
    def measures_used(self) -> Sequence[Measure]:
        """The colour."""
        return [self.measure]


class OverlapWidget(Widget):
    """The share of each audience in a row that is also in that of a column."""

    kind: Literal["overlap"]
    dataset: Literal["fact_audience_overlap"] = "fact_audience_overlap"
    limit: int = Field(15, ge=2, le=40, description="audiences at most, the largest")


class FunnelWidget(Widget):
    """Steps that fewer and fewer take, each as a share of the first."""

    kind: Literal["funnel"]
    steps: list[Measure] = Field(min_length=2, max_length=8)

    @property
    def measures_used(self) -> Sequence[Measure]:
        """From the first step to the last."""
        return self.steps


class IntervalWidget(Widget):
    """Estimates with their intervals around 0."""

    kind: Literal["interval"]
    dimension: Dimension
    measure: Measure = Field(description="with 'low' and 'high'")
    significant: str | None = Field(None, description="column that says which estimates stand out")
    limit: int = _LIMIT

    @property
    def dimensions_used(self) -> Sequence[Dimension]:
        """The estimates."""
        return [self.dimension]

    @property
    def measures_used(self) -> Sequence[Measure]:
        """The point, and whether it stands out."""
        return [self.measure, *self.verdict]

    @property
    def verdict(self) -> list[Measure]:
        """What tells whether an estimate stands out."""
        if self.significant is None:
            return []
        return [Measure(label="Significant", one=self.significant, format="text")]  # type: ignore[call-arg]

    @check
    def _has_ends(self) -> Iterator[str]:
        if self.measure.low is None:
            yield "'measure' needs 'low' and 'high', the ends of the interval"


class Mark(StrictModel):
    """Rows to set off by what another dataset says of them."""

    dataset: str = Field(description="with a row of what is set off")
    column: str = Field(description="boolean; where true the rows are set off")
    by: str = Field(description="column of both datasets, and the first dimension of the table")


class TableWidget(Widget):
    """Rows of dimensions and numbers."""

    kind: Literal["table"]
    dimensions: list[Dimension] = Field(min_length=1, max_length=4)
    measures: list[Measure] = _MEASURES
    total: bool = Field(False, description="a last row of all groups; for numbers that add up")
    mark: str | Mark | None = Field(
        None,
        description="boolean column, of the dataset or of another; where true the row is set off",
    )
    limit: int = _LIMIT

    @property
    def dimensions_used(self) -> Sequence[Dimension]:
        """The first columns."""
        return self.dimensions

    @property
    def measures_used(self) -> Sequence[Measure]:
        """The other columns, and the mark."""
        if not isinstance(self.mark, str):
            return self.measures
        return [*self.measures, Measure(label="Marked", max=self.mark, format="text")]  # type: ignore[call-arg]

    @check
    def _mark_that_is(self) -> Iterator[str]:
        if isinstance(self.mark, Mark):
            other = DATASETS.get(self.mark.dataset)
            if other is None:
                yield f"'mark': there is no dataset {self.mark.dataset!r}"
            else:
                yield from no_such_column(other, [self.mark.column, self.mark.by])
            if self.dimensions[0].column != self.mark.by:
                yield f"'mark': the first dimension must be {self.mark.by!r}, by which rows are set off"


class NoteWidget(Texts):
    """A sentence."""

    kind: Literal["note"]
    text: str = Field(min_length=1)


KINDS = (
    "number", "trend", "bar", "deciles", "heat_map", "overlap", "funnel", "interval", "table", "note",
)  # fmt: skip
AnyWidget = Annotated[
    Annotated[NumberWidget, Tag(kind_tag("number"))]
    | Annotated[TrendWidget, Tag(kind_tag("trend"))]
    | Annotated[BarWidget, Tag(kind_tag("bar"))]
    | Annotated[DecilesWidget, Tag(kind_tag("deciles"))]
    | Annotated[HeatMapWidget, Tag(kind_tag("heat_map"))]
    | Annotated[OverlapWidget, Tag(kind_tag("overlap"))]
    | Annotated[FunnelWidget, Tag(kind_tag("funnel"))]
    | Annotated[IntervalWidget, Tag(kind_tag("interval"))]
    | Annotated[TableWidget, Tag(kind_tag("table"))]
    | Annotated[NoteWidget, Tag(kind_tag("note"))],
    Discriminator(
        kind_given(""),
        custom_error_type="kind",
        custom_error_message=f"kind must be one of {', '.join(KINDS)}",
    ),
]
