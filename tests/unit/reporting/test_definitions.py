"""A dashboard that is wrong says where and what, and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from clvspark.config import shipped_config
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.load_config import load_config
from clvspark.lakehouse.strict_model import StrictModel
from clvspark.reporting.config import AcquisitionSpend, ReportingConfig
from clvspark.reporting.dashboards.definition import Dashboard

CONF = shipped_config("base.yaml").parent
PAGE = """\
id: mine
title: Mine
sections:
  - title: Sizes
    widgets:
      - kind: number
        title: Members
        dataset: fact_profile_by_audience
        measure: {label: Members, sum: count_of_profiles}
"""


class Holder(StrictModel):
    """What holds the reporting section, as a configuration does."""

    reporting: ReportingConfig


def faults(tmp_path: Path, text: str) -> str:
    """What is said of a configuration whose own dashboard is `text`."""
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    config = tmp_path / "conf.yaml"
    config.write_text("reporting:\n  own_dashboards: !include mi*.yaml\n", encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_config(config, Holder)
    return str(raised.value)


def test_a_dashboard_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(PAGE)
    assert load_config(tmp_path / "mine.yaml", Dashboard).widgets[0].kind == "number"


def test_a_mark_is_of_a_column_that_there_is(tmp_path: Path) -> None:
    table = PAGE.replace("kind: number", "kind: table").replace(
        "measure: {label: Members, sum: count_of_profiles}",
        "dimensions: [{column: audience_id}]\n"
        "        measures: [{label: Members, sum: count_of_profiles}]\n"
        "        mark: {dataset: fact_model_quality, column: is_champoin, by: model}",
    )
    told = faults(tmp_path, table)
    assert "Did you mean 'is_champion'?" in told
    assert "'mark': the first dimension must be 'model'" in told


@pytest.mark.parametrize(
    ("was", "becomes", "line", "told"),
    [
        ("kind: number", "kind: nmber", 6, "kind must be one of number, trend, bar"),
        ("count_of_profiles}", "count_of_profile}", 6, "Did you mean 'count_of_profiles'?"),
        ("title: Members", "titel: Members", 7, "Did you mean 'title'?"),
        ("label: Members, sum", "label: Members, add", 9, "Allowed:"),
        ("title: Members", "title: 'Members {as_off}'", 6, "there is no {as_off}. Allowed: as_of"),
        ("id: mine", "id: My page", 1, "id"),
        ("sum: count_of_profiles", "sum: clv, mean: clv", 9, "a measure has one of sum, mean"),
        ("sum: count_of_profiles", "max: clv, per: clv", 9, "'per' and 'share' go with 'sum'"),
        ("        measure:", "        filter: {audience: top}\n        measure:", 6, "has no column 'audience'"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_file_line_and_what_is_allowed(
    tmp_path: Path, was: str, becomes: str, line: int, told: str
) -> None:
    assert was in PAGE
    message = faults(tmp_path, PAGE.replace(was, becomes, 1))
    assert f"{tmp_path}/mine.yaml, line {line}: " in message
    assert told in message


def test_a_dataset_that_is_not_there_is_told_with_all_that_are(tmp_path: Path) -> None:
    message = faults(tmp_path, PAGE.replace("fact_profile_by_audience", "fact_profiles"))
    assert f"{tmp_path / 'mine.yaml'}, line 8: " in message
    assert "widget 'Members': there is no dataset 'fact_profiles'. Did you mean" in message
    assert "clv.backtest" in message


def test_a_filter_by_a_column_of_no_dataset_of_the_page_is_told(tmp_path: Path) -> None:
    text = PAGE.replace("sections:", "filters:\n  - {column: nosuch, label: None}\nsections:")
    message = faults(tmp_path, text)
    assert f"{tmp_path / 'mine.yaml'}, line 4: " in message
    assert "no dataset of the page has a column 'nosuch'" in message


def test_an_attribute_needs_a_dimension(tmp_path: Path) -> None:
    table = "kind: table\n        dimensions: [{column: audience_id, attribute: colour}]"
    text = PAGE.replace("kind: number", table).replace("measure: {", "measures: [{")
    message = faults(tmp_path, text.replace("count_of_profiles}", "count_of_profiles}]"))
    assert "dim_audience has no column 'colour'" in message


def test_dashboards_of_one_id_are_refused(shipped: list[Dashboard]) -> None:
    with pytest.raises(ValueError, match="the id 'audiences' stands twice"):
        ReportingConfig(dashboards=[shipped[0], shipped[0]])


def test_every_shipped_dashboard_is_a_file_of_its_name(shipped: list[Dashboard]) -> None:
    assert {d.id for d in shipped} == {f.stem for f in (CONF / "dashboards").glob("*.yaml")}
    assert {
        "overview", "identity", "models", "audiences", "campaigns", "experiments", "finance", "operations",
    } <= {d.id for d in shipped}  # fmt: skip


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "told"),
    [
        ("2026-01-02", "2026-01-31", "first day of a month"),
        ("2026-01-01", "2026-01-30", "last day of a month"),
        ("2026-02-01", "2026-01-31", "must not lie before"),
    ],
)
def test_spend_is_of_whole_months(starts_on: str, ends_on: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        AcquisitionSpend(channel="web", starts_on=starts_on, ends_on=ends_on, amount=1)
