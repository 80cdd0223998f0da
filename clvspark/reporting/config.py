"""Configuration of reporting."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from functools import cached_property

from pydantic import Field

from clvspark.lakehouse.strict_model import (
    Disagreement,
    Location,
    StrictModel,
    Unknown,
    as_known,
    check,
    repeated,
)
from clvspark.lakehouse.table import Table
from clvspark.reporting.dashboards.definition import Dashboard
from clvspark.reporting.dashboards.drill import find_drill_faults
from clvspark.reporting.dashboards.fit import find_misfits
from clvspark.reporting.dashboards.widgets import NoteWidget, Widget
from clvspark.reporting.datasets import (
    DATASETS,
    Dataset,
    did_you_mean,
    list_datasets,
)
from clvspark.reporting.own_tables import OwnTable

_DASHBOARDS = ("dashboards", "own_dashboards")


class AcquisitionSpend(StrictModel):
    """What a channel cost in some months, all in: it acquired the customers whose first purchase was in one of them."""

    channel: str = Field(min_length=1, description="of the first purchase")
    starts_on: dt.date = Field(description="first day of a month")
    ends_on: dt.date = Field(description="last day, inclusive")
    amount: Decimal = Field(ge=0, max_digits=18, decimal_places=2, description="lakehouse currency")

    @check
    def _whole_months(self) -> Iterator[str]:
        if self.starts_on.day != 1:
            yield "'starts_on' must be the first day of a month, as cohorts are of months"
        if self.ends_on < self.starts_on:
            yield "'ends_on' must not lie before 'starts_on'"
        elif (self.ends_on + dt.timedelta(days=1)).day != 1:
            yield "'ends_on' must be the last day of a month, as cohorts are of months"


class SensitivityConfig(StrictModel):
    """Horizons and discount rates at which customer equity is told beside that of the configured ones."""

    horizon_months: list[int] = Field([6, 12, 24], min_length=1, max_length=6)
    annual_discount_rates: list[float] = Field([0.05, 0.1, 0.15], min_length=1, max_length=6)

    @check
    def _possible(self) -> Iterator[str]:
        if not all(1 <= months <= 60 for months in self.horizon_months):
            yield "'horizon_months' must be from 1 to 60"
        if not all(0 <= rate < 10 for rate in self.annual_discount_rates):
            yield "'annual_discount_rates' must be from 0 and below 10, e.g. 0.1"


class ReportingConfig(StrictModel):
    """Where the pages go, what they show, and what finance needs to be told."""

    page: str = Field(
        "report.html",
        description="HTML file of the first dashboard; the others lie in the folder of its name. They need no network",
    )
    title: str = "Customer value"
    note: str | None = Field(
        None, description="sentence below the title: what readers must know about these data"
    )
    dashboards: list[Dashboard] = Field([], description="one page each; those shipped, or others")
    own_dashboards: list[Dashboard] = Field(
        [], description="further pages; one of the same id as a dashboard takes its place"
    )
    own_tables: list[OwnTable] = Field(
        [], description="dimensions and facts of your own, which widgets may ask as the others"
    )
    smallest_group: int = Field(
        10, ge=1, description="persons of a group at least, or pages do not show its numbers"
    )
    acquisition_spend: list[AcquisitionSpend] = Field(
        [], description="for CLV:CAC and payback; none: neither is told"
    )
    sensitivity: SensitivityConfig = SensitivityConfig()  # type: ignore[call-arg]

    @property
    def pages(self) -> list[Dashboard]:
        """All dashboards in the order of the navigation."""
        by_id = {d.id: d for d in [*self.dashboards, *self.own_dashboards]}
        return sorted(by_id.values(), key=lambda d: (d.position, d.id))

    @cached_property
    def datasets(self) -> dict[str, Dataset]:
        """What widgets may ask, own tables among it."""
        return list_datasets({own.contract: own.persons for own in self.own_tables})

    @property
    def own_contracts(self) -> list[Table]:
        """The contracts of own tables."""
        return [self.datasets[own.name].table for own in self.own_tables]

    @check
    def _each_table_once(self) -> Iterator[str]:
        for twice in repeated(own.name for own in self.own_tables):
            yield f"own_tables: the name {twice!r} stands twice"

    @check
    def _each_dashboard_once(self) -> Iterator[Disagreement]:
        for key in _DASHBOARDS:
            ids: dict[str, list[Location]] = {}
            for place, dashboard in as_known(self._placed(key)):
                with suppress(Unknown):
                    ids.setdefault(dashboard.id, []).append((*place, "id"))
            for name, places in ids.items():
                for place in places if len(places) > 1 else []:
                    sentence = (
                        f"the id {name!r} stands twice in {key!r}; give each dashboard another"
                    )
                    yield Disagreement(sentence, place)

    @check
    def _widgets_of_datasets_that_are(self) -> Iterator[Disagreement]:
        for place, widget in self._widgets():
            for said in as_known(self._refuse_dataset(widget)):
                yield replace(said, at=(*place, *said.at))

    @check
    def _filters_of_something(self) -> Iterator[Disagreement]:
        for key in _DASHBOARDS:
            for place, dashboard in as_known(self._placed(key)):
                for said in as_known(self._refuse_filters(dashboard)):
                    yield replace(said, at=(*place, *said.at))

    def find_drill_faults(self, tables: Mapping[str, Table]) -> Iterator[Disagreement]:
        """Queries of widgets that name what neither the `tables` of the lakehouse nor own ones have."""
        own = {table.name: table for table in self.own_contracts}
        for place, widget in self._widgets():
            for sentence in as_known(_judge_drill(widget, {**tables, **own})):
                yield Disagreement(sentence, (*place, "drill"))

    def _placed(self, key: str) -> Iterator[tuple[Location, Dashboard]]:
        """The dashboards of a key, each with its place in the configuration."""
        for n, dashboard in enumerate(getattr(self, key)):
            yield (key, n), dashboard

    def _widgets(self) -> Iterator[tuple[Location, Widget]]:
        """All widgets that ask a dataset, each with its place in the configuration."""
        for key in _DASHBOARDS:
            for place, dashboard in as_known(self._placed(key)):
                yield from as_known(_list_widgets(place, dashboard))

    def _refuse_dataset(self, widget: Widget) -> Iterator[Disagreement]:
        """What is wrong with a widget that does not ask datasets of clvspark alone."""
        unknown = [(at, name) for at, name in widget.datasets_at if name not in self.datasets]
        for at, name in unknown:
            hint = did_you_mean(name, self.datasets)
            allowed = ", ".join(sorted(self.datasets))
            yield Disagreement(f"there is no dataset {name!r}.{hint} Allowed: {allowed}", at)
        if not unknown and any(name not in DATASETS for _, name in widget.datasets_at):
            yield from find_misfits(widget, self.datasets)

    def _refuse_filters(self, dashboard: Dashboard) -> Iterator[Disagreement]:
        """Lists above a page that change nothing, as no dataset of its widgets has the column."""
        asked = {w.dataset for w in dashboard.widgets if not isinstance(w, NoteWidget)}
        tables = [self.datasets[known].table for known in asked if known in self.datasets]
        for n, choice in enumerate(dashboard.filters):
            if not any(choice.column in table.names for table in tables):
                sentence = f"no dataset of the page has a column {choice.column!r}"
                yield Disagreement(sentence, ("filters", n, "column"))


def _list_widgets(place: Location, dashboard: Dashboard) -> Iterator[tuple[Location, Widget]]:
    for at, widget in dashboard.places:
        if isinstance(widget, Widget):
            yield (*place, *at), widget


def _judge_drill(widget: Widget, tables: Mapping[str, Table]) -> Iterator[str]:
    if widget.drill:
        yield from find_drill_faults(widget.drill, tables)
