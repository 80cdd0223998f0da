"""All dashboards of a configuration: what they ask, and the pages that they become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from clvspark.reporting.config import ReportingConfig
from clvspark.reporting.dashboards.answers import Tables
from clvspark.reporting.dashboards.definition import Dashboard
from clvspark.reporting.dashboards.page import build_page, link_pages
from clvspark.reporting.dashboards.widgets import Mark, OverlapWidget, TableWidget, Widget
from clvspark.reporting.datasets import Dataset, referenced_dimension
from clvspark.reporting.document import write_atomically
from clvspark.reporting.moment import Window

_ALWAYS = ("dim_date",)  # its first and last day stand on every page


def list_asked(dashboards: Iterable[Dashboard], datasets: Mapping[str, Dataset]) -> list[str]:
    """Datasets that widgets ask, and the dimensions that their columns refer to."""
    asked = {*_ALWAYS}
    for dashboard in dashboards:
        for widget in dashboard.widgets:
            if not isinstance(widget, Widget):
                continue
            asked.add(widget.dataset)
            if isinstance(widget, OverlapWidget):
                asked.add("fact_profile_by_audience")
            if isinstance(widget, TableWidget) and isinstance(widget.mark, Mark):
                asked.add(widget.mark.dataset)
    for name in [*asked]:
        for column in datasets[name].table.names:
            other = referenced_dimension(datasets[name], column, datasets)
            asked |= {other.name} if other else set()
    return sorted(asked)


def write_pages(
    rows: Mapping[str, pa.Table],
    config: ReportingConfig,
    places: Mapping[str, Path],
    *,
    window: Window,
    value: str,
    horizon_days: int,
    champion_rule: str,
    currency: str,
) -> None:
    """Write every dashboard, each readable by its owner only; nothing on them is of one person, or of few."""
    tables = Tables(rows, config.datasets, as_of=window.as_of, smallest_group=config.smallest_group)
    words = {
        "as_of": str(window.as_of),
        "currency": currency,
        "value": value,
        "horizon_days": str(horizon_days),
        "champion_rule": champion_rule,
        "window_days": str(window.days),
        "window_so_far": window.so_far,
        "period": _period(rows["dim_date"]),
    }
    titles = {d.id: d.title.format(**words) for d in config.pages}
    for dashboard in config.pages:
        page = places[dashboard.id]
        html = build_page(
            dashboard,
            tables,
            words,
            site_title=config.title,
            links=link_pages(page, places, titles),
            note=config.note,
        )
        write_atomically(page, html)


def _period(calendar: pa.Table) -> str:
    """From when to when there is history, in words."""
    span = pc.min_max(calendar["date"]).as_py()
    return f"History from {span['min']} to {span['max']}." if span["min"] else ""
