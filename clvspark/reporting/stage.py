"""Report: every room -> `reporting.*`, and a page for each dashboard."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Self

import pyarrow as pa
from pydantic import BaseModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.errors import ConfigError, MissingInputError
from clvspark.lakehouse.run import Run
from clvspark.lakehouse.side_by_side import all_of, by_key, keep_all
from clvspark.lakehouse.table import Table
from clvspark.measurement.tables import WINDOW
from clvspark.reporting.config import ReportingConfig
from clvspark.reporting.dashboards.page import place_pages
from clvspark.reporting.dashboards.site import list_asked, write_pages
from clvspark.reporting.datasets import AS_OF, BORROWED, Dataset
from clvspark.reporting.moment import Moment, Window
from clvspark.reporting.outlook import Outlook
from clvspark.reporting.own_tables import build_own_table
from clvspark.reporting.star import PARTS, Part

STAGE = "report"
# Rows of one dataset that pages are made from, at most; only lists and campaigns could make them many.
MOST_ROWS = 100_000
# What changes nothing in the delivered tables: what is shown, and users' own tables.
_SHOWN = {"dashboards", "own_dashboards", "own_tables", "page", "title", "note", "smallest_group"}


class Basis(BaseModel):
    """What the delivered tables of the star schema depend on beside their inputs."""

    reporting: ReportingConfig
    outlook: str

    @classmethod
    def of(cls, config: ReportingConfig, outlook: str) -> Self:
        """Of a configuration, without what is shown and users' own tables."""
        plain = ReportingConfig()  # type: ignore[call-arg]
        kept = config.model_copy(update={name: getattr(plain, name) for name in _SHOWN})
        return cls(reporting=kept, outlook=outlook)


def run(lake: Lakehouse, config: ReportingConfig, as_of: date, *, outlook: Outlook) -> RunReport:
    """Refresh the star schema for `as_of` and render the dashboards.

    Of the star schema only that is built whose inputs have changed since it was built for the date.
    """
    pages = place_pages(Path(config.page), config.pages)
    parts = [*PARTS, *_own_parts(lake, config, as_of)]
    told = config.model_dump_json(include=_SHOWN)
    with lake.run(
        STAGE,
        as_of=as_of,
        config=Basis.of(config, outlook.basis),
        reads=list_reads(parts),
        writes=[part.table for part in parts],
        also={"shown": hashlib.sha256(told.encode()).hexdigest()},
    ) as run:
        run.is_current = run.is_current and all(page.exists() for page in pages.values())
        if not run.is_current:
            lake.read_of(CUSTOMER_VALUE, as_of, stage="score")
            made: dict[Table, DataFrame] = {}
            moment = _see(lake, config, as_of, outlook, made)
            stale = [part for part in parts if not _is_fresh(lake, run, part)]
            _build(moment, stale, made)
            # Pages are made from what is in memory and from the rows of other dates, which nothing here changes.
            older = {table for table in made if lake.exists(table)}
            all_of(
                lambda: _write(run, stale, made, as_of),
                lambda: _render(lake, run, moment, outlook, made, older, pages),
            )
    return run.report


def list_reads(parts: Sequence[Part]) -> list[Table]:
    """Tables that the parts are built from, and those that dashboards ask where they are."""
    every = [table for part in parts for table in part.reads]
    return list(dict.fromkeys([*every, *BORROWED]))


def _own_parts(lake: Lakehouse, config: ReportingConfig, as_of: date) -> list[Part]:
    """Users' own tables as parts; ConfigError where one is made of a table that is not there."""
    known = {*lake.tables} - {table.name for table in config.own_contracts}
    faults = [fault for own in config.own_tables for fault in own.unknown_sources(known)]
    if faults:
        raise ConfigError("reporting.own_tables", faults)

    def read(name: str) -> DataFrame:
        """A table without what it knows of persons, so that none of it can come into the star schema."""
        table = lake.tables[name]
        return lake.read_or_empty(table).select(*(c.name for c in table.columns if not c.pii))

    return [
        Part(
            config.datasets[own.name].table,
            tuple(lake.tables[name] for name in own.sources),
            lambda _, own=own: build_own_table(own, read, as_of=as_of),  # type: ignore[misc]
            is_always_new=True,  # the definition may be another one
        )
        for own in config.own_tables
    ]


def _see(
    lake: Lakehouse,
    config: ReportingConfig,
    as_of: date,
    outlook: Outlook,
    made: Mapping[Table, DataFrame],
) -> Moment:
    def read_made(table: Table) -> DataFrame:
        if table in made:
            return made[table]
        return lake.read_or_empty(table).where(F.col(AS_OF) == F.lit(as_of))

    return Moment(
        read=cache(lake.read_or_empty),  # several facts are built from most tables
        made=read_made,
        expected=lambda ends_days: outlook.expect(lake, as_of, ends_days),
        config=config,
        as_of=as_of,
        window=_read_window(lake, as_of),
        value=outlook.value,
        horizon_days=outlook.horizon_days,
        annual_discount_rate=outlook.annual_discount_rate,
    )


def _build(moment: Moment, parts: Sequence[Part], made: dict[Table, DataFrame]) -> None:
    """Build the parts; `made` is given them as they are in memory."""
    for is_derived in (False, True):
        these = [part for part in parts if part.is_derived is is_derived]
        # Kept, as they are verified and written, and the pages and what is derived are made from them. Each is small,
        # so it is one file.
        frames = keep_all(*(part.build(moment).coalesce(1) for part in these), eager=False)
        made |= {part.table: df for part, df in zip(these, frames, strict=True)}


def _write(run: Run, parts: Sequence[Part], made: Mapping[Table, DataFrame], as_of: date) -> None:
    for has_dates in (True, False):
        frames = {p.table: made[p.table] for p in parts if p.has_dates is has_dates}
        run.overwrite_all(frames, where=rows_of(as_of) if has_dates else None, cached=True)


def _render(
    lake: Lakehouse,
    run: Run,
    moment: Moment,
    outlook: Outlook,
    made: Mapping[Table, DataFrame],
    older: Collection[Table],
    pages: Mapping[str, Path],
) -> None:
    """Write the pages from the rows of the datasets that they ask; `older` are tables that were there before."""
    run.step("rendering the dashboards")
    datasets, as_of = moment.config.datasets, moment.as_of
    rows = by_key(
        lambda name: _read_dataset(lake, made, older, datasets[name], as_of),
        list_asked(moment.config.pages, datasets),
    )
    write_pages(
        rows,
        moment.config,
        pages,
        window=moment.window,
        value=outlook.value,
        horizon_days=outlook.horizon_days,
        champion_rule=outlook.champion_rule,
        currency=lake.config.currency,
    )


def _is_fresh(lake: Lakehouse, run: Run, part: Part) -> bool:
    """Whether a part is as a run left it that read the same: for the same date where it has dates."""
    log = lake.log
    last = log.last_success(STAGE, run.as_of) if part.has_dates else log.newest_success(STAGE)
    if part.is_always_new or log.force or last is None or last.basis != run.basis:
        return False
    names = [table.name for table in part.reads]
    same = all(run.input_versions.get(n) == last.input_versions.get(n) for n in names)
    return same and log.version(part.table) == log.left_version(STAGE, part.table)


def _read_window(lake: Lakehouse, as_of: date) -> Window:
    """The window after `as_of` as measurement saw it; MissingInputError where it has not looked yet."""
    found = lake.read(WINDOW).where(F.col(AS_OF) == F.lit(as_of)).collect()
    if not found:
        raise MissingInputError(
            f"measurement.window has no row for {as_of}. Run it first: clvspark measure --as-of {as_of}"
        )
    row = found[0]
    return Window(as_of, row["window_days"], row["days_observed"], row["last_order_on"])


def _read_dataset(
    lake: Lakehouse,
    made: Mapping[Table, DataFrame],
    older: Collection[Table],
    dataset: Dataset,
    as_of: date,
) -> pa.Table:
    """Rows until `as_of`: what was made in this run, and of other dates what is stored."""
    table = dataset.table
    found = made.get(table)
    if found is None or (dataset.has_dates and table in older):
        stored = lake.read_or_empty(table)
        if dataset.has_dates:
            day = F.col(AS_OF)
            stored = stored.where(day <= F.lit(as_of) if found is None else day < F.lit(as_of))
        found = stored if found is None else stored.unionByName(found.select(*table.names))
    return found.select(*table.names).limit(MOST_ROWS).toArrow()
