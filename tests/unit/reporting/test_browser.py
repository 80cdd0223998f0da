"""The dashboards in a real browser: nothing is complained of, all is drawn, and choices change what is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browser import (
    IS_DRAWN,
    NOT_DRAWN,
    Browser,
    choose_everything,
    find_faults,
    open_browser,
)
from support.star import AS_OF, MARCH, dataset_rows, shop_rows

# Texts of charts that reach beyond their place, and numbers that a line runs through.
CUT_OFF = """places => places.flatMap(place => {
    const {left, right} = place.getBoundingClientRect();
    const texts = [...place.querySelectorAll("svg text")].filter(text => text.textContent);
    const boxes = texts.map(text => [text.textContent, text.getBoundingClientRect()]);
    return boxes.filter(([, box]) => box.left < left - 1 || box.right > right + 1)
        .map(([text]) => place.dataset.chart + ": " + text);
})"""
CROSSED = """place => {
    const line = place.querySelector(".mark-rule.role-mark line").getBoundingClientRect();
    const texts = [...place.querySelectorAll(".mark-text.role-mark text")];
    return texts.map(text => [text.textContent, text.getBoundingClientRect()])
        .filter(([, box]) => box.left < line.right && box.right > line.left).map(([text]) => text);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One headless browser for all tests."""
    with open_browser() as found:
        yield found


@pytest.fixture
def visit(browser: Browser, write: Callable[..., dict[str, str]], tmp_path: Path) -> Iterator[Any]:
    """Open a page without a network; whatever it complains of is a failure."""
    write()
    opened = []

    def visit(name: str, **settings: Any) -> Any:
        place = "report.html" if name == "overview" else f"report/{name}.html"
        opened.append(browser.visit(tmp_path / place, **settings))
        return opened[-1]

    yield visit
    for page in opened:
        page.close()
    told = [browser.told.pop() for _ in browser.told[:]]
    assert told == []


PAGES = [
    "overview",
    "identity",
    "models",
    "audiences",
    "campaigns",
    "experiments",
    "finance",
    "operations",
]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_every_chart_is_drawn_and_nothing_is_cut_off_or_wider_than_the_page(
    visit, name, width
) -> None:
    page = visit(name, width=width)
    assert page.locator("[data-chart]").count() >= 1
    assert page.eval_on_selector_all("[data-chart]", NOT_DRAWN) == []
    assert page.eval_on_selector_all("[data-chart]", CUT_OFF) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 390])
def test_the_line_through_bars_crosses_no_number(visit, width) -> None:
    chart = visit("models", width=width).locator("[data-chart='spec-w1-2']")
    assert chart.locator(".mark-text.role-mark text").all_text_contents() == ["900", "990"]
    assert chart.evaluate(CROSSED) == []


def test_squares_have_numbers_or_where_they_are_narrow_a_legend(visit) -> None:
    """Of deciles there are ten, of the overlap two."""
    for name, chart, width, numbers in (
        ("models", "w2-1", 1280, True),
        ("models", "w2-1", 390, False),
        ("audiences", "w2-1", 390, True),
    ):
        place = visit(name, width=width).locator(f"[data-chart='spec-{chart}']")
        assert bool(place.locator(".mark-text.role-mark text").count()) is numbers
        assert bool(place.locator(".role-legend").count()) is not numbers


def test_every_square_has_the_name_of_its_column(visit) -> None:
    place = visit("audiences", width=390).locator("[data-chart='spec-w2-1']")
    labels = place.locator(".role-axis-label text").all_text_contents()
    assert sorted(labels) == ["Lapsed", "Lapsed", "Top customers", "Top customers"]


def test_a_table_that_is_wider_than_a_phone_says_so_and_keeps_its_names_in_sight(visit) -> None:
    page = visit("audiences", width=390)
    table = page.locator("table[data-table='w1-1']")
    hint = "More columns to the right: move the table sideways."
    assert page.get_by_text(hint).first.is_visible()
    name = table.locator("tbody th").first
    before = name.bounding_box()
    table.evaluate("table => { table.parentElement.scrollLeft = 200 }")
    assert name.bounding_box()["x"] == pytest.approx(before["x"], abs=1)
    assert not visit("audiences").get_by_text(hint).first.is_visible()


def test_headings_of_tables_have_few_lines_on_a_phone(visit) -> None:
    """Those of columns that are out of sight would leave the others in empty space."""
    for name in ("overview", "experiments", "finance"):
        page = visit(name, width=390)
        lines = page.eval_on_selector_all(
            "table thead th",
            """headings => headings.filter(heading => heading.offsetHeight)
                .map(heading => [heading.textContent, (heading.offsetHeight - 12) / 20])""",
        )
        assert [heading for heading, high in lines if high > 3.2] == []
        assert len(lines) > 5


def test_names_of_tables_lie_below_a_heat_map_and_are_whole_on_a_phone(visit, write) -> None:
    rows = shop_rows()
    rows["fact_quarantine"] = dataset_rows(
        "fact_quarantine",
        [
            {"source_system": "till", "target_table": name, "reason": "empty", "rows": 7}
            for name in ("sources.event", "sources.customer_record")
        ],
    )
    write(rows)
    chart = visit("operations", width=390).locator("[data-chart='spec-w1-6']")
    texts = chart.locator(".role-axis-label text").all()
    whole = {text.text_content(): text for text in texts}
    assert {"sources.customer_record", "sources.event"} <= {*whole}
    box = whole["sources.customer_record"].bounding_box()
    assert box["width"] > box["height"]


def test_the_page_that_is_shown_is_in_sight_among_the_others_on_a_phone(visit) -> None:
    box = visit("operations", width=390).locator(".pages [aria-current]").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 391


def test_a_choice_changes_numbers_tables_and_charts_and_is_announced(visit) -> None:
    page = visit("audiences")
    table = page.locator("table[data-table='w1-1']")
    assert table.locator("tbody tr").count() == 2
    page.get_by_label("Audience", exact=True).select_option(label="Lapsed")
    assert table.locator("tbody tr").all_inner_texts()[0].split("\t")[:2] == ["Lapsed", "200"]
    assert table.locator("tbody tr").count() == 1
    assert page.locator("#chosen").inner_text() == "Shown: Audience: Lapsed"
    page.wait_for_function(
        "!document.querySelector('[data-chart=\"spec-w1-2\"] svg').textContent.includes('Top')"
    )
    page.get_by_label("Audience", exact=True).select_option(label="All")
    assert table.locator("tbody tr").count() == 2


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_whatever_is_chosen_every_chart_is_drawn_or_said_to_be_of_nothing(
    visit, name, width
) -> None:
    page = visit(name, width=width)
    chosen = {choice: find_faults(page) for choice in choose_everything(page)}
    assert {choice: faults for choice, faults in chosen.items() if faults} == {}
    assert len(chosen) == page.locator("[data-list] option").count()


def test_a_campaign_of_nobody_in_an_audience_says_so_in_place_of_the_chart(visit) -> None:
    page = visit("campaigns")
    chart, note = page.locator("[data-chart='spec-w2-2']"), page.locator("[data-nothing='w2-2']")
    for campaign, is_shown in (("Summer", False), ("Spring", True)):
        page.get_by_label("Campaign", exact=True).select_option(label=campaign)
        assert chart.is_visible() is is_shown
        assert note.is_visible() is not is_shown


def test_what_a_list_leaves_as_it_is_says_so_once_the_list_is_set(visit) -> None:
    page = visit("finance")
    told = page.locator("[data-apart]:visible")
    assert told.count() == 0

    page.get_by_label("Channel of the first purchase", exact=True).select_option(label="web")
    channel = "Not narrowed by: Channel of the first purchase"
    assert {*told.all_inner_texts()} == {channel}
    equity, forecast = page.locator("[data-apart='w1-1']"), page.locator("[data-apart='w3-1']")
    assert forecast.is_visible()
    assert not equity.is_visible()

    page.get_by_label("Method of attribution", exact=True).select_option(index=1)
    assert forecast.inner_text() == f"{channel}, Method of attribution"
    assert equity.inner_text() == "Not narrowed by: Method of attribution"
    assert page.locator("[data-apart='w4-1']").inner_text() == channel

    page.get_by_label("Channel of the first purchase", exact=True).select_option(label="All")
    page.get_by_label("Method of attribution", exact=True).select_option(index=0)
    assert told.count() == 0


def test_the_sixth_audience_has_its_line_and_legend_once_it_is_chosen(
    visit, write, tmp_path
) -> None:
    rows = shop_rows()
    rows["fact_profile_by_audience"] = dataset_rows(
        "fact_profile_by_audience",
        [
            {"audience_id": f"a{n}", "count_of_profiles": 10 * n, "as_of_date": day}
            for n in range(1, 8)
            for day in (MARCH, AS_OF)
        ],
    )
    write(rows)
    page = visit("audiences")
    legend = page.locator("[data-chart='spec-w1-3'] .role-legend-label text")
    assert legend.all_text_contents() == ["a7", "a6", "a5", "a4", "a3"]
    page.get_by_label("Audience", exact=True).select_option(label="a2")
    page.wait_for_function(IS_DRAWN)
    assert legend.all_text_contents() == ["a2"]


def test_a_choice_without_rows_says_so(visit) -> None:
    page = visit("audiences")
    page.get_by_label("Audience", exact=True).select_option(label="Lapsed")
    assert page.locator("[data-nothing='w3-1']").is_visible()
    page.get_by_label("Audience", exact=True).select_option(label="Top customers")
    assert not page.locator("[data-nothing='w3-1']").is_visible()


def test_numbers_of_a_choice_are_those_of_the_choice(visit) -> None:
    page = visit("campaigns")
    tile = page.locator("[data-tile='w1-1'] .value")
    assert tile.inner_text() == "1,140"
    for campaign, contacted in (("Spring", "1,100"), ("Summer", "40"), ("All", "1,140")):
        page.get_by_label("Campaign", exact=True).select_option(label=campaign)
        assert tile.inner_text() == contacted


def test_dark_is_asked_for_or_chosen(visit) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = visit("overview"), visit("overview", colours="dark")
    assert light.evaluate(ground) != dark.evaluate(ground)
    light.get_by_role("button", name="Switch to dark colours").click()
    assert light.evaluate(ground) == dark.evaluate(ground)
    label = "getComputedStyle(document.querySelector('.role-axis-label text')).fill"
    assert light.evaluate(label) == dark.evaluate(label) == "rgb(232, 234, 237)"


def test_the_keyboard_reaches_content_lists_and_tables(visit) -> None:
    page = visit("finance")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.tagName"))
    assert {"BUTTON", "A", "SELECT", "DIV", "SUMMARY"} <= seen


def test_a_screen_reader_hears_what_each_chart_shows_and_finds_its_numbers(visit) -> None:
    page = visit("models")
    for figure in page.locator("figure").all():
        title = figure.locator("h3").inner_text()
        assert title in figure.locator("[role=graphics-document]").first.get_attribute("aria-label")
        assert figure.locator("details table tbody tr").count() >= 1


def test_paper_is_white_and_has_no_lists_to_choose_from(visit) -> None:
    page = visit("audiences", colours="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.get_by_role("navigation", name="Dashboards").is_visible()
    page.emulate_media(media="screen")
    page.get_by_label("Audience", exact=True).select_option(label="Lapsed")
    page.emulate_media(media="print")
    assert not page.get_by_label("Audience", exact=True).is_visible()
    assert page.get_by_text("Shown: Audience: Lapsed").bounding_box()["height"] > 10


def test_pages_lead_to_each_other(visit) -> None:
    page = visit("overview")
    page.get_by_role("link", name="Finance").click()
    assert page.locator("h1").inner_text() == "Finance"
    page.get_by_role("link", name="Overview").click()
    assert page.locator("h1").inner_text() == "Overview"
