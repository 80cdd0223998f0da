"""The page as a file: whole, self-contained, escaped, and never half-written."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from clvspark.reporting.document import as_script_data, write_atomically
from clvspark.reporting.figures import Figures
from clvspark.reporting.page import build_html

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """Elements, addresses and texts outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.scripts: dict[str, str] = {}
        self.charts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.addresses += [
            found[name] for name in ("src", "href", "srcset", "action") if name in found
        ]
        self.charts += [found["data-chart"]] if "data-chart" in found else []
        self._inside = found.get("id", tag) if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag in ("script", "style") else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[self._inside] = data
        else:
            self.text += data


@pytest.fixture
def html(figures: Figures) -> str:
    return build_html(figures, title="A shop")


def test_the_page_loads_nothing_from_elsewhere(html: str) -> None:
    page = Page(html)
    assert page.addresses
    assert all(address.startswith("#") for address in page.addresses)
    assert "link" not in page.tags
    assert "default-src 'none'" in html
    assert "unsafe-eval" not in html


def test_the_chart_library_is_there_once_however_many_charts(html: str) -> None:
    page = Page(html)
    assert len(page.charts) >= 10
    assert html.count("window.vegaEmbed") == 1
    assert page.tags.count("script") == len(page.charts) + 3


def test_every_chart_has_a_specification_with_rows_and_a_description(html: str) -> None:
    page = Page(html)
    assert len(set(page.charts)) == len(page.charts)
    for chart in page.charts:
        spec = json.loads(page.scripts[chart])
        assert spec["description"]
        assert spec["width"] == "container"
        layers = spec.get("layer", [spec])
        assert all((layer.get("data") or spec["data"])["values"] for layer in layers)
        assert "url" not in json.dumps(spec)


def test_the_page_says_of_when_and_in_which_currency_it_is(html: str) -> None:
    text = " ".join(Page(html).text.split())
    assert "As of 2026-04-01:" in text
    assert "History from 2025-01-01 to 2026-06-30. Amounts in EUR." in text


def test_the_page_says_of_its_data_what_the_configuration_says_and_nothing_else(
    figures: Figures, html: str
) -> None:
    assert "demo" not in Page(html).text.lower()
    told = Page(build_html(figures, title="A shop", note="Prices <b>before</b> tax."))
    assert "Prices <b>before</b> tax." in told.text
    assert "b" not in told.tags


def test_the_page_says_how_much_of_what_came_true_is_known(figures: Figures, html: str) -> None:
    assert "Of what came true" not in Page(html).text
    early = build_html(dataclasses.replace(figures, days_observed=0), title="A shop")
    assert "Of what came true, none of the 91 days from 2026-04-01 on is known yet." in early


def test_scripts_are_allowed_by_their_digest_only(html: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy
    assert policy[1].count("'sha256-") == 2


def test_texts_of_data_and_configuration_cannot_become_markup(figures: Figures) -> None:
    audiences = [{**figures.audiences[0], "name": EVIL}, figures.audiences[1]]
    quarantine = [{**figures.quarantine[0], "reason": EVIL}]
    evil = dataclasses.replace(figures, audiences=audiences, quarantine=quarantine)
    before, after = Page(build_html(figures, title="A shop")), Page(build_html(evil, title=EVIL))
    assert after.tags == before.tags
    assert after.text.count(EVIL) >= 4
    names = [
        row["row"]
        for row in json.loads(after.scripts["spec-overlap"])["layer"][0]["data"]["values"]
    ]
    assert EVIL in names


def test_an_empty_lakehouse_gives_sentences_instead_of_empty_charts(nothing: Figures) -> None:
    page = Page(build_html(nothing, title="Nothing yet"))
    assert page.charts == []
    assert "table" not in page.tags
    assert page.tags.count("h2") == 10
    for sentence in (
        "Nobody is ranked by CLV as of 2026-04-01 yet.",
        "No truth is known",
        "No model was fitted",
        "No audience was evaluated",
        "Nothing was activated",
        "Responses are not yet observed",
        "No audience was sent anywhere",
        "No row was kept out.",
        "No stage has finished yet.",
    ):
        assert sentence in page.text


def test_equal_figures_give_the_same_page(figures: Figures, html: str) -> None:
    assert build_html(figures, title="A shop") == html


def test_numbers_that_are_not_finite_are_refused_in_charts() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        as_script_data({"value": float("nan")})


def test_the_file_is_for_its_owner_only_and_replaces_the_old_one(tmp_path: Path) -> None:
    page = tmp_path / "new" / "report.html"
    write_atomically(page, "first")
    write_atomically(page, "second")
    assert page.read_text() == "second"
    assert page.stat().st_mode & 0o777 == 0o600
    assert list(page.parent.iterdir()) == [page]


def test_a_failed_write_leaves_the_old_page_and_no_remains(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    write_atomically(page, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(page, "new \ud800")
    assert page.read_text() == "old"
    assert list(tmp_path.iterdir()) == [page]
