"""The kinds of widgets, and what each may say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from clvspark.lakehouse.strict_model import (
    Disagreement,
    StrictModel,
    check,
    kind_given,
    kind_tag,
)
from clvspark.reporting.dashboards.asking import Asking, Places, SingleColumn, place_each, place_one
from clvspark.reporting.dashboards.column_types import FLAGS, NUMBERS, TIMES
from clvspark.reporting.dashboards.fit import find_misfits
from clvspark.reporting.dashboards.parts import Dimension, Measure, Texts
from clvspark.reporting.datasets import DATASETS

MOST_GROUPS = 30
_LIMIT = Field(MOST_GROUPS, ge=1, le=500, description="groups at most; the rest is left out")
_MEASURES = Field(min_length=1, max_length=20)
_SERIES = Field(min_length=1, max_length=4)


class Shown(Texts):
    """A title that says what is shown, and a hint how to read it."""

    title: str = Field(min_length=1)
    hint: str = ""


class Widget(Asking, Shown):
    """What every widget that asks a dataset may say."""

    wide: bool = Field(
        False, description="a chart takes the whole width; tables take what they need"
    )
    drill: str | None = Field(
        None,
        description='query that whoever may read the lakehouse finds the persons with: lake.table("schema.table") and '
        "what narrows it, or a SELECT",
    )
    empty: str = Field(
        "Nothing as of {as_of} yet.",
        description='said where there are no rows; with "" the widget is left out then',
    )

    @check
    def _asks_for_what_is(self) -> Iterator[Disagreement]:
        # Of users' own datasets the whole configuration knows.
        if all(name in DATASETS for _, name in self.datasets_at):
            yield from find_misfits(self, DATASETS)

    @check
    def _each_label_once(self) -> Iterator[Disagreement]:
        seen: set[str] = set()
        for at, measure in self.measures_at if self.is_chart else ():
            if measure.label in seen:
                sentence = f"another measure is called {measure.label!r}, so both would be drawn as one; rename one"
                yield Disagreement(sentence, (*at, "label"))
            seen.add(measure.label)


class NumberWidget(Widget):
    """One number, and how it has changed since the date before."""

    kind: Literal["number"]
    measure: Measure
    change: bool = Field(True, description="against the newest earlier date of the dataset")

    @property
    def measures_at(self) -> Places[Measure]:
        """The one."""
        return place_one("measure", self.measure)

    @property
    def is_chart(self) -> bool:
        """It is written, so it may be a text."""
        return False


class TrendWidget(Widget):
    """Lines over time: of several measures, or of one for each value of a dimension."""

    kind: Literal["trend"]
    over: Dimension = Field(description="date; as_of_date: all dates until the one reported")
    measures: list[Measure] = _SERIES
    series: Dimension | None = None

    @property
    def dimensions_at(self) -> Places[Dimension]:
        """Time, and the lines."""
        return [*place_one("over", self.over), *place_one("series", self.series)]

    @property
    def measures_at(self) -> Places[Measure]:
        """A line each."""
        return place_each("measures", self.measures)

    @property
    def single_columns(self) -> Sequence[SingleColumn]:
        """The dates."""
        return [SingleColumn(("over", "column"), self.over.column, TIMES)]

    @check
    def _one_measure_of_series(self) -> Iterator[Disagreement]:
        if self.series is not None and len(self.measures) > 1:
            sentence = (
                "with 'series' the lines are of one measure; take the others, or 'series', out"
            )
            yield Disagreement(sentence, ("measures", 1))


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
    def dimensions_at(self) -> Places[Dimension]:
        """The bars."""
        return place_one("dimension", self.dimension)

    @property
    def measures_at(self) -> Places[Measure]:
        """Those of a bar, and the line."""
        return [*place_each("measures", self.measures), *place_one("line", self.line)]


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
    def measures_at(self) -> Places[Measure]:
        """A series each."""
        return place_each("measures", self.measures)

    @property
    def single_columns(self) -> Sequence[SingleColumn]:
        """The decile."""
        return [SingleColumn(("decile",), self.decile, NUMBERS)]


class HeatMapWidget(Widget):
    """One number for each pair of values of two dimensions."""

    kind: Literal["heat_map"]
    rows: Dimension
    columns: Dimension
    measure: Measure
    of_first: bool = Field(False, description="each row as shares of its first number")
    limit: int = _LIMIT

    @property
    def dimensions_at(self) -> Places[Dimension]:
        """Down and across."""
        return [*place_one("rows", self.rows), *place_one("columns", self.columns)]

    @property
    def measures_at(self) -> Places[Measure]:
        """The colour."""
        return place_one("measure", self.measure)


class OverlapWidget(Widget):
    """The share of each audience in a row that is also in that of a column."""

    kind: Literal["overlap"]
    dataset: Literal["fact_audience_overlap"] = "fact_audience_overlap"
    limit: int = Field(15, ge=2, le=40, description="audiences at most, the largest")

    @property
    def dimensions_used(self) -> Sequence[Dimension]:
        """An audience and the other one."""
        return [Dimension(column=name) for name in ("audience_id", "other_audience_id")]  # type: ignore[call-arg]

    @property
    def measures_used(self) -> Sequence[Measure]:
        """Who is in both."""
        return [Measure(label="Persons", sum="count_of_profiles")]  # type: ignore[call-arg]


class FunnelWidget(Widget):
    """Steps that fewer and fewer take, each as a share of the first."""

    kind: Literal["funnel"]
    steps: list[Measure] = Field(min_length=2, max_length=8)

    @property
    def measures_at(self) -> Places[Measure]:
        """From the first step to the last."""
        return place_each("steps", self.steps)


class IntervalWidget(Widget):
    """Estimates with their intervals around 0."""

    kind: Literal["interval"]
    dimension: Dimension
    measure: Measure = Field(description="with 'low' and 'high'")
    significant: str | None = Field(None, description="column that says which estimates stand out")
    limit: int = _LIMIT

    @property
    def dimensions_at(self) -> Places[Dimension]:
        """The estimates."""
        return place_one("dimension", self.dimension)

    @property
    def measures_at(self) -> Places[Measure]:
        """The point."""
        return place_one("measure", self.measure)

    @property
    def single_columns(self) -> Sequence[SingleColumn]:
        """The verdict."""
        return [SingleColumn(("significant",), self.significant, FLAGS)] if self.significant else []

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
    def dimensions_at(self) -> Places[Dimension]:
        """The first columns."""
        return place_each("dimensions", self.dimensions)

    @property
    def measures_at(self) -> Places[Measure]:
        """The other columns."""
        return place_each("measures", self.measures)

    @property
    def datasets_at(self) -> Places[str]:
        """Its own, and that of the mark."""
        other = [(("mark", "dataset"), self.mark.dataset)] if isinstance(self.mark, Mark) else []
        return [*super().datasets_at, *other]

    @property
    def single_columns(self) -> Sequence[SingleColumn]:
        """The mark."""
        mark = self.mark
        if not isinstance(mark, Mark):
            return [SingleColumn(("mark",), mark, FLAGS)] if mark else []
        return [
            SingleColumn(("mark", "column"), mark.column, FLAGS, mark.dataset),
            SingleColumn(("mark", "by"), mark.by, (), mark.dataset),
        ]

    @property
    def is_chart(self) -> bool:
        """Its measures are written, so they may be texts."""
        return False

    @property
    def measures_used(self) -> Sequence[Measure]:
        """The other columns, and the mark."""
        if not isinstance(self.mark, str):
            return self.measures
        return [*self.measures, Measure(label="Marked", max=self.mark, format="text")]  # type: ignore[call-arg]

    @check
    def _mark_by_the_first_dimension(self) -> Iterator[Disagreement]:
        if isinstance(self.mark, Mark) and self.dimensions[0].column != self.mark.by:
            sentence = f"the first dimension must be {self.mark.by!r}, by which rows are set off"
            yield Disagreement(sentence, ("mark", "by"))


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
