"""The page that people read: one HTML file that needs no network."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from clvspark.reporting.config import ReportingConfig
from clvspark.reporting.document import render_template, write_atomically
from clvspark.reporting.figures import Figures, Source, read_figures
from clvspark.reporting.sections.action import describe_activation, describe_audiences
from clvspark.reporting.sections.experiments import describe_experiments
from clvspark.reporting.sections.headline import build_tiles
from clvspark.reporting.sections.identity import describe_identity
from clvspark.reporting.sections.operations import describe_quarantine, describe_runs
from clvspark.reporting.sections.quality import describe_models
from clvspark.reporting.sections.responses import describe_responses
from clvspark.reporting.sections.value import describe_lifecycle, describe_value

_SECTIONS = (
    describe_value,
    describe_lifecycle,
    describe_audiences,
    describe_activation,
    describe_responses,
    describe_experiments,
    describe_models,
    describe_identity,
    describe_quarantine,
    describe_runs,
)


def render_page(source: Source, config: ReportingConfig, as_of: date, page: Path) -> None:
    """Draw the page of `as_of` and put it at `page`, readable by its owner only.

    Nothing that grows with the number of persons is read into the driver; no personal data is on
    the page.
    """
    html = build_html(read_figures(source, as_of), title=config.title, note=config.note)
    write_atomically(page, html)


def build_html(figures: Figures, *, title: str, note: str | None = None) -> str:
    """Return the page as text; everything that comes from data or configuration is escaped."""
    sections = [describe(figures) for describe in _SECTIONS]
    first, last = figures.first_day, figures.last_day
    return render_template(
        "report.html.j2",
        sections,
        title=title,
        note=note,
        as_of=figures.as_of,
        currency=figures.currency,
        period=f"History from {first} to {last}." if first else "",
        window="" if figures.is_window_over else f"Of what came true, {figures.window_so_far}.",
        tiles=build_tiles(figures),
    )
