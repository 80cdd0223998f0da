"""What widgets may ask: the star schema, and those tables of other rooms that are as small."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from clvspark.clv.tables import BACKTEST, BACKTEST_DECILE
from clvspark.history.tables import KPI
from clvspark.lakehouse.table import Column, Table
from clvspark.measurement.tables import (
    EFFECT,
    EXPERIMENT,
    EXPERIMENT_SEGMENT,
    INCREMENTAL_VALUE,
    MOMENT_GOAL,
    POWER,
    TARGETING,
    WINDOW,
)
from clvspark.reporting import finance_tables, tables

ROOM = "reporting."
AS_OF = "as_of_date"
# Of these tables a column counts the persons of a row; rows of few are not shown.
_PERSONS = {
    tables.FACT_PROFILE: "count_of_profiles",
    tables.FACT_PROFILE_BY_AUDIENCE: "count_of_profiles",
    tables.FACT_AUDIENCE_OVERLAP: "count_of_profiles",
    tables.FACT_CLV_DECILE: "count_of_profiles",
    tables.FACT_RESPONSE: "contacted",
    tables.FACT_RESPONSE_BY_AUDIENCE: "contacted",
    tables.FACT_ACTIVATION: "members",
    finance_tables.FACT_CUSTOMER_EQUITY: "customers",
    finance_tables.FACT_ACQUISITION: "new_customers",
    finance_tables.FACT_ATTRIBUTION: "persons",
    finance_tables.FACT_COHORT_MONTH: "active_customers",
    BACKTEST_DECILE: "customers",
    KPI: "persons",
}
_KPI_CELL = "PARTITION BY as_of_date, period_starts_on, grain, channel"
_SURVEY_KPIS = "'survey_answers', 'mean_score', 'nps', 'active_share_of_promoters', 'active_share_of_detractors'"
# Where no column of a table counts persons, this counts them beside it, in SQL of DuckDB.
_COUNTED = {
    KPI: f"""CASE WHEN kpi = 'new_customers' THEN value
    WHEN kpi IN ({_SURVEY_KPIS}) THEN max(value) FILTER (WHERE kpi = 'survey_answers') OVER ({_KPI_CELL})
    ELSE max(value) FILTER (WHERE kpi = 'active_customers') OVER ({_KPI_CELL}) END"""
}
BORROWED = (
    BACKTEST,
    BACKTEST_DECILE,
    KPI,
    EFFECT,
    EXPERIMENT,
    EXPERIMENT_SEGMENT,
    INCREMENTAL_VALUE,
    MOMENT_GOAL,
    POWER,
    TARGETING,
    WINDOW,
)
"""Aggregates of earlier rooms, read where they are."""


@dataclass(frozen=True)
class Dataset:
    """A table that widgets may ask.

    Parameters
    ----------
    persons : column that counts the persons of a row; None: a row tells nothing of persons.
    counted : SQL of that column, where the table does not have it.
    """

    name: str
    table: Table
    persons: str | None = None
    counted: str | None = None

    @property
    def has_dates(self) -> bool:
        """Whether it keeps the rows of every date."""
        return AS_OF in self.table.names

    def column(self, name: str) -> Column:
        """The contract of one of its columns."""
        return self.table.column(name)


def name_dataset(table: Table) -> str:
    """As widgets name it: a table of the star schema without its schema."""
    return table.name.removeprefix(ROOM)


def list_datasets(own: Mapping[Table, str | None] | None = None) -> dict[str, Dataset]:
    """All datasets by name; `own` are users' tables, each with the column that counts persons."""
    counted: Mapping[Table, str | None] = {**_PERSONS, **(own or {})}
    every = [*tables.TABLES, *BORROWED, *(own or {})]
    found = (Dataset(name_dataset(t), t, counted.get(t), _COUNTED.get(t)) for t in every)
    return {dataset.name: dataset for dataset in found}


DATASETS = list_datasets()


def referenced_dimension(
    dataset: Dataset, column: str, datasets: Mapping[str, Dataset] = DATASETS
) -> Dataset | None:
    """The dimension that a column of a dataset refers to."""
    if column not in dataset.table.names:
        return None
    name = dataset.column(column).references
    # Other rooms refer to the definition; its names are those of the dimension.
    name = {"audiences.definition": "dim_audience", "sources.campaign": "dim_campaign"}.get(
        name or "", name or ""
    )
    return datasets.get(name.removeprefix(ROOM))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question that follows a sentence about a name that is not there; nothing where none is alike."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def no_such_column(dataset: Dataset, columns: Iterable[str]) -> Iterator[str]:
    """A sentence for each of the columns that a dataset does not have."""
    for name in columns:
        if name not in dataset.table.names:
            hint = did_you_mean(name, dataset.table.names)
            yield f"{dataset.name} has no column {name!r}.{hint} Columns: {', '.join(dataset.table.names)}"
