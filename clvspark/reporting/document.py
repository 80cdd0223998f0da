"""HTML documents that need no network: sections of tables, charts and sentences in one file."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from clvspark.reporting.blocks import Chart, Section
from clvspark.reporting.drawing import CONFIG


@dataclass(frozen=True)
class Link:
    """One page of several, as the navigation names it."""

    title: str
    address: str
    is_here: bool = False


def build_document(title: str, lead: str, sections: Sequence[Section], *, footer: str) -> str:
    """A page of its own; everything that comes from data is escaped."""
    return render_template(
        "document.html.j2", sections, title=title, lead=lead, footer=footer, offered=[], choices={}
    )


def render_template(
    name: str,
    sections: Sequence[Section],
    *,
    offered: Sequence[Any],
    choices: dict[str, Any],
    **values: Any,
) -> str:
    """Fill a template of the package with sections, and what draws their charts.

    `offered` are the lists that readers choose values from, `choices` what each block shows by what is chosen.
    """
    library, script = _chart_library(), _page_script()
    hashes = " ".join(f"'sha256-{_digest(text)}'" for text in (library, script))
    return (
        _environment()
        .get_template(name)
        .render(
            sections=sections,
            specs=_specs(sections),
            offered=offered,
            choices=as_script_data(choices),
            chart_config=as_script_data(CONFIG),
            library=Markup(library),  # noqa: S704 - Vega's own code, made harmless in `_chart_library`
            script=Markup(script),  # noqa: S704 - a file of the package
            hashes=Markup(hashes),  # noqa: S704 - base64
            **values,
        )
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


def _specs(sections: Sequence[Section]) -> dict[str, Markup]:
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


@cache
def _page_script() -> str:
    """What draws the charts and heeds the choices of readers."""
    file = resources.files("clvspark.reporting") / "templates" / "page.js"
    return file.read_text(encoding="utf-8")


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
