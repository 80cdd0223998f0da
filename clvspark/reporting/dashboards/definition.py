"""A dashboard: one YAML, one page."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from clvspark.lakehouse.strict_model import Disagreement, Location, as_known, check, repeated
from clvspark.reporting.dashboards.parts import Labelled, Texts
from clvspark.reporting.dashboards.widgets import AnyWidget


class Choice(Labelled):
    """A list of values above the page; choosing one narrows every widget whose dataset has the column."""

    required: bool = Field(
        False, description="always one value, as groups overlap and all of them do not add up"
    )


class Section(Texts):
    """Widgets under one heading."""

    title: str = Field(min_length=1)
    lead: str = Field("", description="what is asked here")
    widgets: list[AnyWidget] = Field(min_length=1, max_length=40)


class Dashboard(Texts):
    """One page: sections of widgets, and the values that readers may choose."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="name of the file")
    title: str = Field(min_length=1)
    lead: str = Field("", description="what the page answers; texts may hold {as_of} and others")
    position: int = Field(100, description="place in the navigation; the first is the overview")
    filters: list[Choice] = Field([], max_length=3)
    sections: list[Section] = Field(min_length=1, max_length=12)

    @property
    def widgets(self) -> list[AnyWidget]:
        """All of them, in their order."""
        return [widget for _, widget in self.places]

    @property
    def places(self) -> Iterator[tuple[Location, AnyWidget]]:
        """All of them, each with its place in the file."""
        for n, section in enumerate(self.sections):
            for m, widget in enumerate(section.widgets):
                yield ("sections", n, "widgets", m), widget

    @check
    def _each_filter_once(self) -> Iterator[Disagreement]:
        columns = [*as_known(choice.column for choice in self.filters)]
        for twice in repeated(columns):
            last = len(columns) - 1 - columns[::-1].index(twice)
            sentence = f"there is a list of {twice!r} already; take one of them out"
            yield Disagreement(sentence, ("filters", last, "column"))
