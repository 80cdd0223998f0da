"""The page that people read: one HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from clvspark.lakehouse import Lakehouse
from clvspark.reporting.blocks import Chart, Section
from clvspark.reporting.config import ReportingConfig
from clvspark.reporting.drawing import CONFIG
from clvspark.reporting.figures import Figures, read_figures
from clvspark.reporting.sections.action import describe_activation, describe_audiences
from clvspark.reporting.sections.experiments import describe_experiments
from clvspark.reporting.sections.headline import build_tiles
from clvspark.reporting.sections.operations import describe_quarantine, describe_runs
from clvspark.reporting.sections.quality import describe_identity, describe_models
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
# Vega's interpreter (ast) needs no eval, so the page can forbid it.
_DRAW = """
for (const place of document.querySelectorAll("[data-chart]")) {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const looks = {renderer: "svg", actions: false, logLevel: 1, config: read("chart-config")};
  const options = {mode: "vega-lite", ast: true, ...looks};
  vegaEmbed(place, read(place.dataset.chart), options).catch(() => {
    place.textContent = "This chart cannot be drawn here; the tables have its numbers.";
  });
}
"""


def render_page(lake: Lakehouse, config: ReportingConfig, as_of: date, page: Path) -> None:
    """Draw the page of `as_of` and put it at `page`, readable by its owner only.

    Nothing that grows with the number of persons is read into the driver; no personal data is on
    the page.
    """
    html = build_html(read_figures(lake, as_of), title=config.title, note=config.note)
    write_atomically(page, html)


def build_html(figures: Figures, *, title: str, note: str | None = None) -> str:
    """Return the page as text; everything that comes from data or configuration is escaped."""
    sections = [describe(figures) for describe in _SECTIONS]
    library, script = _chart_library(), _DRAW
    first, last = figures.first_day, figures.last_day
    hashes = " ".join(f"'sha256-{_digest(text)}'" for text in (library, script))
    template = _environment().get_template("report.html.j2")
    return template.render(
        title=title,
        note=note,
        as_of=figures.as_of,
        currency=figures.currency,
        period=f"History from {first} to {last}." if first else "",
        window="" if figures.is_window_over else f"Of what came true, {figures.window_so_far}.",
        tiles=build_tiles(figures),
        sections=sections,
        specs=_specs(sections),
        chart_config=as_script_data(CONFIG),
        library=Markup(library),  # noqa: S704 - Vega's own code, made harmless in `_chart_library`
        script=Markup(script),  # noqa: S704 - the constant above
        hashes=Markup(hashes),  # noqa: S704 - base64
    )


def write_atomically(path: Path, text: str) -> None:
    """Write a file for its owner only; a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    work = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        work.chmod(0o600)
        work.replace(path)
    except BaseException:
        work.unlink(missing_ok=True)
        raise


def as_script_data(value: dict[str, Any]) -> Markup:
    """JSON that cannot end the script element it stands in, whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped as JSON above


def _specs(sections: list[Section]) -> dict[str, Markup]:
    return {
        block.id: as_script_data(block.spec)
        for section in sections
        for block in section.blocks
        if isinstance(block, Chart)
    }


@cache
def _chart_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, of the version that altair writes for."""
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    code = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", version))
    # Inside a string of JavaScript the escaped forms mean the same, but do not end the element.
    return code.replace("\r", "").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    loader = PackageLoader("clvspark.reporting", "templates")
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
