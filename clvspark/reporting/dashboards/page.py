"""One dashboard as one page: its widgets drawn, and for each choice of its readers what is shown then."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.strict_model import StrictModel
from clvspark.reporting import blocks
from clvspark.reporting.blocks import Note, Tile
from clvspark.reporting.dashboards.answers import Tables
from clvspark.reporting.dashboards.chart_panels import (
    draw_bar,
    draw_deciles,
    draw_funnel,
    draw_heat_map,
    draw_interval,
    draw_trend,
)
from clvspark.reporting.dashboards.definition import Choice, Dashboard
from clvspark.reporting.dashboards.number_panel import draw_number
from clvspark.reporting.dashboards.overlap_panel import draw_overlap
from clvspark.reporting.dashboards.panels import Canvas, Offered, Panel, draw_note
from clvspark.reporting.dashboards.populations import Population
from clvspark.reporting.dashboards.suppression import find_hidden
from clvspark.reporting.dashboards.table_panel import draw_table
from clvspark.reporting.dashboards.widgets import AnyWidget, NoteWidget, Widget
from clvspark.reporting.document import Link, render_template

MOST_OPTIONS = 60
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DRAW: dict[str, Any] = {
    "number": draw_number,
    "table": draw_table,
    "trend": draw_trend,
    "bar": draw_bar,
    "deciles": draw_deciles,
    "heat_map": draw_heat_map,
    "overlap": draw_overlap,
    "funnel": draw_funnel,
    "interval": draw_interval,
}


def build_page(
    dashboard: Dashboard,
    tables: Tables,
    words: Mapping[str, str],
    *,
    site_title: str,
    links: Sequence[Link],
    note: str | None,
) -> str:
    """A dashboard as the text of a page; everything that comes from data or configuration is escaped."""
    offered = []
    for choice in dashboard.filters:
        with _named(dashboard, choice, f"filter by {choice.column!r}"):
            offered.append(_offer(choice, dashboard, tables))
    offered = [one for one in offered if one.options]
    canvas = hide_few(dashboard, Canvas(tables, offered, words))
    panels: dict[str, Panel] = {}
    sections = []
    for number, section in enumerate(dashboard.sections, 1):
        drawn = []
        for n, widget in enumerate(section.widgets, 1):
            name = f"w{number}-{n}"
            with _named(dashboard, widget, f"widget {getattr(widget, 'title', '')!r}"):
                drawn.append((name, draw_widget(widget, canvas, name)))
        panels |= {name: panel for name, panel in drawn if not isinstance(panel.block, Note)}
        found = [panel.block for _, panel in drawn]
        sections.append(
            blocks.Section(
                f"s{number}",
                canvas.say(section.title),
                canvas.say(section.lead),
                [
                    block
                    for block in found
                    if not isinstance(block, Tile) and block != Note("", block.title)
                ],
                [block for block in found if isinstance(block, Tile)],
            )
        )
    return render_template(
        "dashboard.html.j2",
        sections,
        title=canvas.say(dashboard.title),
        site_title=site_title,
        lead=canvas.say(dashboard.lead),
        note=note,
        links=links,
        words=words,
        offered=offered,
        choices={
            name: {"follows": panel.follows, "choices": panel.choices if panel.follows else {}}
            for name, panel in panels.items()
            if offered
        },
    )


def hide_few(dashboard: Dashboard, canvas: Canvas) -> Canvas:
    """The canvas, with the populations that none of the widgets may tell of."""
    counts: dict[Population, float] = {}
    for widget in dashboard.widgets:
        if isinstance(widget, Widget):
            with _named(dashboard, widget, f"widget {widget.title!r}"):
                counts |= canvas.count_persons(widget)
    return replace(canvas, hidden=find_hidden(counts, canvas.tables.smallest_group))


@contextmanager
def _named(dashboard: Dashboard, part: StrictModel, name: str) -> Iterator[None]:
    """Tell file, line, dashboard and widget where a statement fails."""
    try:
        yield
    except duckdb.Error as error:
        file, line = part.place or ("reporting.dashboards", None)
        at = f"line {line}: " if line else ""
        reason = str(error).partition("\n")[0]
        sentence = (
            f"{at}dashboard {dashboard.id!r}, {name}: cannot be answered from its dataset: {reason}"
        )
        raise ConfigError(str(file), [sentence]) from error


def draw_widget(widget: AnyWidget, canvas: Canvas, panel_id: str) -> Panel:
    """A widget of any kind, drawn."""
    if isinstance(widget, NoteWidget):
        return draw_note(widget, canvas)
    panel: Panel = _DRAW[widget.kind](widget, canvas, panel_id)
    return panel


def _offer(choice: Choice, dashboard: Dashboard, tables: Tables) -> Offered:
    """The values of a column over the datasets of all widgets, by the text that is shown for them."""
    names: dict[str, str] = {}
    asked = {widget.dataset for widget in dashboard.widgets if isinstance(widget, Widget)}
    for name in sorted(asked):
        dataset = tables.datasets[name]
        if choice.column in dataset.table.names:
            names |= tables.values_of(dataset, choice.column)
    shown = [(value, choice.names.get(value, name)) for value, name in names.items()]
    known = choice.order
    ordered = sorted(
        shown, key=lambda pair: (known.index(pair[0]) if pair[0] in known else len(known), pair[1])
    )
    if choice.required:  # the newest of dates is shown at first
        dates = [pair for pair in ordered if _DATE.fullmatch(pair[0])]
        ordered = dates[::-1] or ordered
    return Offered(
        choice.column,
        choice.title,
        tuple(ordered[:MOST_OPTIONS]),
        choice.required,
        left_out=len(ordered[MOST_OPTIONS:]),
    )


def place_pages(index: Path, dashboards: Sequence[Dashboard]) -> dict[str, Path]:
    """The file of each dashboard: the first is the index, the others lie in the folder beside it."""
    if not dashboards:
        return {}
    first, *others = sorted(dashboards, key=lambda d: (d.position, d.id))
    folder = index.with_suffix("")
    return {first.id: index, **{d.id: folder / f"{d.id}.html" for d in others}}


def link_pages(page: Path, places: Mapping[str, Path], titles: Mapping[str, str]) -> list[Link]:
    """The navigation of a page: addresses relative to it."""
    return [
        Link(
            titles[name],
            Path(os.path.relpath(place, page.parent)).as_posix(),
            is_here=place == page,
        )
        for name, place in places.items()
    ]
