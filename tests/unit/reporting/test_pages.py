"""The pages as files: whole, self-contained, escaped, linked, and never half-written."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
from support.star import dataset_rows, shop_rows

from clvspark.lakehouse.errors import ConfigError
from clvspark.reporting.dashboards.definition import Dashboard
from clvspark.reporting.dashboards.page import MOST_OPTIONS
from clvspark.reporting.document import as_script_data, write_atomically

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


def test_pages_load_nothing_from_elsewhere_and_lead_to_each_other(write) -> None:
    pages = write()
    for name, html in pages.items():
        page = Page(html)
        others = {a for a in page.addresses if not a.startswith("#")}
        folder, index = ("report/", "report.html") if name == "overview" else ("", "../report.html")
        assert others == {index, *(f"{folder}{n}.html" for n in pages if n != "overview")}
        assert "link" not in page.tags
        assert "default-src 'none'" in html
        assert "unsafe-eval" not in html


def test_the_chart_library_is_there_once_however_many_charts(write) -> None:
    for html in write().values():
        page = Page(html)
        assert html.count("window.vegaEmbed") == 1
        assert page.tags.count("script") == len(page.charts) + 4


def test_every_chart_has_rows_a_description_and_a_table_of_its_numbers(write) -> None:
    drawn = 0
    for html in write().values():
        page = Page(html)
        assert len(set(page.charts)) == len(page.charts)
        for chart in page.charts:
            spec = json.loads(page.scripts[chart])
            assert spec["description"]
            assert spec["width"] == "container"
            assert spec["datasets"]["rows"]
            assert "url" not in json.dumps(spec)
            assert f'data-table="{chart.removeprefix("spec-")}"' in html
            drawn += 1
    assert drawn >= 25


def test_pages_say_of_when_and_in_which_currency_they_are(write) -> None:
    for html in write().values():
        text = " ".join(Page(html).text.split())
        assert "As of 2026-04-01:" in text
        assert "History from 2025-01-01 to 2026-06-30. Amounts in EUR." in text
        assert "{" not in text


def test_pages_say_of_their_data_what_the_configuration_says_and_nothing_else(write) -> None:
    for html in write().values():
        assert "demo" not in Page(html).text.lower()
    for html in write(note="Prices <b>before</b> tax.").values():
        assert "Prices <b>before</b> tax." in Page(html).text
        assert "b" not in Page(html).tags


def test_pages_say_how_much_of_what_came_true_is_known(write) -> None:
    assert "all of the 91 days from 2026-04-01 on are known" in write()["experiments"]
    early = write(days_observed=30)["experiments"]
    assert "30 of the 91 days from 2026-04-01 on are known so far" in early


def test_scripts_are_allowed_by_their_digest_only(write) -> None:
    for html in write().values():
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
        assert policy
        assert policy[1].count("'sha256-") == 2


def test_texts_of_data_and_configuration_cannot_become_markup(write) -> None:
    rows = shop_rows()
    rows["dim_audience"] = dataset_rows(
        "dim_audience", [{"audience_id": "top", "name": EVIL}, {"audience_id": "lapsed"}]
    )
    plain, evil = write(), write(rows, title=EVIL)
    for name, html in evil.items():
        before, after = Page(plain[name]), Page(html)
        assert after.tags == before.tags
        assert EVIL in after.text
    names = json.loads(Page(evil["audiences"]).scripts["spec-w1-2"])["datasets"]["rows"]
    assert EVIL in {row["name"] for row in names}


def test_an_empty_lakehouse_gives_sentences_instead_of_empty_charts(write, nothing) -> None:
    pages = {name: Page(html) for name, html in write(nothing).items()}
    assert sum(len(page.charts) for page in pages.values()) == 0
    for name, sentence in (
        ("models", "No model was judged on a holdout."),
        ("audiences", "No audience was evaluated as of 2026-04-01 yet."),
        ("audiences", "Nothing was activated as of 2026-04-01 yet."),
        ("campaigns", "nobody responded to one"),
        ("experiments", "No audience was sent anywhere"),
        ("operations", "No row was kept out."),
        ("operations", "No stage has finished yet."),
        ("finance", "No spend is configured (reporting.acquisition_spend)"),
    ):
        assert sentence in pages[name].text


def test_equal_rows_give_the_same_pages(write) -> None:
    assert write() == write()


def test_pages_are_small(write) -> None:
    library = 900_000
    for html in write().values():
        assert len(html) < library + 150_000


def test_an_own_dashboard_is_added_and_one_of_the_same_id_takes_the_place(write) -> None:
    section = {"title": "S", "widgets": [{"kind": "note", "text": "Ours alone."}]}
    own = [
        Dashboard(id=name, title=f"Own {name}", sections=[section]) for name in ("ours", "finance")
    ]
    pages = write(own_dashboards=own)
    assert "Ours alone." in pages["ours"]
    assert "Ours alone." in pages["finance"]
    assert "Own ours" in pages["overview"]
    assert len(pages) == 9


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


def test_a_statement_that_fails_names_file_dashboard_and_widget(write) -> None:
    rows = shop_rows()
    broken = rows["fact_profile_by_audience"]
    place = broken.schema.get_field_index("contactable_email")
    words = pa.array(["many"] * broken.num_rows)
    rows["fact_profile_by_audience"] = broken.set_column(place, "contactable_email", words)

    with pytest.raises(ConfigError) as raised:
        write(rows)

    message = str(raised.value)
    assert re.match(
        r".*/dashboards/audiences.yaml: 1 fault\n  - line \d+: dashboard 'audiences'", message
    )
    assert "widget 'Audience sizes, reach and value': cannot be answered" in message


def test_a_list_that_is_too_long_says_how_many_it_leaves_out(write) -> None:
    rows = shop_rows()
    names = [f"campaign {n:02}" for n in range(MOST_OPTIONS + 3)]
    responses = [{"campaign_id": name, "clv_decile": 1, "contacted": 20} for name in names]
    rows["fact_response"] = dataset_rows("fact_response", responses)
    html = write(rows)["campaigns"]
    # One campaign responded by audience alone.
    assert "4 more are not listed" in Page(html).text
    assert html.count("<option") == 1 + MOST_OPTIONS
    assert "more are not listed" not in Page(write()["campaigns"]).text
