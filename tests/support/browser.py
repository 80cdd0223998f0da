"""The pages in a real browser, without a network; what a page complains of is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.needs import lack, need_module

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FOUND = next(filter(None, map(shutil.which, BROWSERS)), None)

# Charts stand open or are left out, as they have no rows; those that stand open are drawn.
IS_DRAWN = """[...document.querySelectorAll("[data-chart]")]
    .every(place => place.hidden || place.dataset.drawn)"""
NOT_DRAWN = """places => places
    .filter(place => !place.hidden && (place.dataset.drawn !== "yes" || !place.querySelector("svg path")))
    .map(place => place.dataset.chart)"""
# What is neither shown nor said to be nothing, and what is both.
NOT_TOLD = """notes => notes.filter(note => {
    const id = note.dataset.nothing;
    const chart = document.querySelector(`[data-chart="spec-${id}"]`);
    const rows = document.querySelectorAll(`[data-table="${id}"] tbody tr`).length;
    return note.hidden === (rows === 0) || (chart && chart.hidden === note.hidden);
}).map(note => note.dataset.nothing)"""


@dataclass
class Browser:
    """A headless browser, and what its pages complained of."""

    running: Any
    told: list[str] = field(default_factory=list)

    def visit(self, file: Path, *, width: int = 1280, colours: str = "light") -> Any:
        """Open a page and wait until it is drawn; whatever it asks of a network is a complaint."""
        page = self.running.new_page(
            viewport={"width": width, "height": 900}, color_scheme=colours, offline=True
        )
        page.on("console", lambda said: self.told.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self.told.append(str(error)))
        page.on(
            "request",
            lambda asked: self.told.append(asked.url) if "file:" not in asked.url else None,
        )
        page.goto(file.as_uri())
        page.wait_for_function(IS_DRAWN)
        return page


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start the Chromium of the machine."""
    api = need_module("playwright.sync_api")
    if FOUND is None:
        lack("no Chromium: apt install chromium")
    with api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
        running = playwright.chromium.launch(executable_path=FOUND, args=arguments)
        yield Browser(running)
        running.close()


def choose_everything(page: Any) -> Iterator[str]:
    """Choose every option of every list of a page, one after the other; each is told once all is drawn."""
    for offered in page.locator("[data-list]").all():
        label = offered.get_attribute("data-list")
        for option in offered.locator("option").all():
            offered.select_option(value=option.get_attribute("value"))
            page.wait_for_function(IS_DRAWN)
            yield f"{label}: {option.inner_text()}"
        offered.select_option(index=0)
        page.wait_for_function(IS_DRAWN)


def find_faults(page: Any) -> list[str]:
    """What is not drawn although it has rows, and what has none and does not say so."""
    charts = page.eval_on_selector_all("[data-chart]", NOT_DRAWN)
    silent = page.eval_on_selector_all("[data-nothing]", NOT_TOLD)
    return [f"{name} is not drawn" for name in charts] + [f"{name} is not told" for name in silent]
