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
from clvspark.reporting.dashboards.widgets import Widget

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
TWO_OF_SERIES = (
    "kind: trend, over: {column: as_of_date}, series: {column: audience_id}, "
    "measures: [{label: A, sum: clv}, {label: B, sum: clv}]"
)


class Holder(StrictModel):
    """What holds the reporting section, as a configuration does."""

    reporting: ReportingConfig


def faults(tmp_path: Path, text: str, more: str = "") -> str:
    """What is said of a configuration whose own dashboard is `text`, with `more` lines."""
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    config = tmp_path / "conf.yaml"
    config.write_text(f"reporting:\n  own_dashboards: !include mi*.yaml\n{more}", encoding="utf-8")
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
    assert "the first dimension must be 'model'" in told


@pytest.mark.parametrize(
    ("was", "becomes", "line", "told"),
    [
        ("kind: number", "kind: nmber", 6, "kind must be one of number, trend, bar"),
        ("count_of_profiles}", "count_of_profile}", 9, "Did you mean 'count_of_profiles'?"),
        ("title: Members", "titel: Members", 7, "Did you mean 'title'?"),
        ("label: Members, sum", "label: Members, add", 9, "Allowed:"),
        ("title: Members", "title: 'Members {as_off}'", 7, "title: there is no {as_off}. Allowed: as_of"),
        ("id: mine", "id: My page", 1, "id"),
        ("sum: count_of_profiles", "sum: clv, mean: clv", 9, "a measure has one of sum, mean"),
        ("sum: count_of_profiles", "format: percent", 9, "a measure has one of sum, mean"),
        ("sum: count_of_profiles", "max: clv, per: clv", 9, "'per' and 'share' go with 'sum'"),
        ("        measure:", "        filter: {audience: top}\n        measure:", 9, "has no column 'audience'"),
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
    assert "widgets.0.dataset: there is no dataset 'fact_profiles'. Did you mean" in message
    assert "clv.backtest" in message


def test_a_filter_by_a_column_of_no_dataset_of_the_page_is_told(tmp_path: Path) -> None:
    text = PAGE.replace("sections:", "filters:\n  - {column: nosuch, label: None}\nsections:")
    message = faults(tmp_path, text)
    assert f"{tmp_path / 'mine.yaml'}, line 4: " in message
    assert "no dataset of the page has a column 'nosuch'" in message


@pytest.mark.parametrize(
    ("measure", "told"),
    [
        ("sum: audience_id", "measure.sum: fact_profile_by_audience.audience_id is of type string; a column of type"),
        ("mean: as_of_date", "measure.mean: fact_profile_by_audience.as_of_date is of type date"),
        ("mean: clv, weight: audience_id", "measure.weight: fact_profile_by_audience.audience_id is"),
        ("sum: clv, per: audience_id", "measure.per: fact_profile_by_audience.audience_id is of type"),
        ("sum: clv, low: clv, high: audience_id", "measure.high: fact_profile_by_audience.audience_id is"),
    ],
)  # fmt: skip
def test_what_is_added_up_must_be_numbers(tmp_path: Path, measure: str, told: str) -> None:
    message = faults(tmp_path, PAGE.replace("sum: count_of_profiles", measure))
    assert f"{tmp_path / 'mine.yaml'}, line 9: " in message
    assert told in message
    assert "Allowed: count_of_profiles, contactable_email, clv, entered, exited" in message


@pytest.mark.parametrize(
    ("dataset", "condition", "told"),
    [
        ("fact_clv_decile", "decile: first", "decile: fact_clv_decile.decile is of type int and cannot be 'first'"),
        ("fact_clv_decile", "decile: [1, 1.5]", "cannot be 1.5; write a whole number"),
        ("fact_clv_decile", "decile: true", "cannot be True; write a whole number"),
        ("fact_clv_decile", "decile: 3000000000", "cannot be 3000000000; write a whole number"),
        ("fact_clv_decile", "p_alive: likely", "type double and cannot be 'likely'; write a number"),
        ("fact_clv_decile", "as_of_date: yesterday", "cannot be 'yesterday'; write a date, e.g. 2026-04-01"),
        ("fact_clv_decile", "as_of_date: 20260401", "cannot be 20260401; write a date"),
        ("fact_cohort_month", "margin: 0.125", "type decimal(18,2) and cannot be 0.125"),
        ("fact_model_quality", "is_champion: perhaps", "cannot be 'perhaps'; write true or false"),
        ("fact_operation", "started_at: noon", "cannot be 'noon'; write a date and time, e.g."),
        ("fact_clv_decile", "metric: []", "the list has no value"),
    ],
)  # fmt: skip
def test_a_value_that_its_column_cannot_hold_is_refused(
    tmp_path: Path, dataset: str, condition: str, told: str
) -> None:
    column = "metric" if dataset == "fact_clv_decile" else "as_of_date"
    text = PAGE.replace("fact_profile_by_audience", dataset).replace(
        "{label: Members, sum: count_of_profiles}", f"{{label: A, one: {column}}}"
    )
    message = faults(tmp_path, f"{text}        filter: {{{condition}}}\n")
    assert f"{tmp_path / 'mine.yaml'}, line 10: " in message
    assert told in message


def test_a_text_that_is_none_of_the_allowed_ones_is_refused(tmp_path: Path) -> None:
    text = PAGE.replace("fact_profile_by_audience", "measurement.incremental_value")
    text = text.replace("sum: count_of_profiles", "one: status, where: {status: mesured}")
    message = faults(tmp_path, text)
    assert (
        "measure.where.status: measurement.incremental_value.status is never 'mesured'." in message
    )
    assert "Did you mean 'measured'? Allowed: " in message


@pytest.mark.parametrize(
    ("widget", "told"),
    [
        ("kind: bar, dimension: {column: audience_id}, measures: [{label: A, max: audience_id}]", "measures.0.max: "),
        ("kind: trend, over: {column: audience_id}, measures: [{label: A, sum: clv}]", "over.column: "),
        ("kind: deciles, decile: audience_id, measures: [{label: A, sum: clv}]", "decile: "),
        ("kind: table, dimensions: [{column: clv}], measures: [{label: A, sum: clv}], mark: audience_id", "mark: "),
    ],
)  # fmt: skip
def test_what_is_drawn_must_be_of_a_type_that_can_be(
    tmp_path: Path, widget: str, told: str
) -> None:
    head = PAGE.split("      - kind", maxsplit=1)[0]
    text = f"{head}      - {{title: A, dataset: fact_profile_by_audience, {widget}}}\n"
    message = faults(tmp_path, text)
    assert f"widgets.0.{told}fact_profile_by_audience.audience_id is of type string;" in message


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("attribute: name", "filters.0.attribute: unknown key. Allowed: column, label, names, order, required"),
        ("sorted_by: nonsense", "filters.0.sorted_by: unknown key."),
        ("step: month", "filters.0.step: unknown key."),
    ],
)  # fmt: skip
def test_a_list_of_values_takes_no_key_that_it_does_not_heed(
    tmp_path: Path, key: str, told: str
) -> None:
    filters = f"filters:\n  - column: audience_id\n    {key}\nsections:"
    message = faults(tmp_path, PAGE.replace("sections:", filters))
    assert f"{tmp_path / 'mine.yaml'}, line 5: " in message
    assert told in message


def test_a_column_has_one_list(tmp_path: Path) -> None:
    filters = (
        "filters:\n  - {column: audience_id}\n  - {column: audience_id, label: Again}\nsections:"
    )
    message = faults(tmp_path, PAGE.replace("sections:", filters))
    assert f"{tmp_path / 'mine.yaml'}, line 5: " in message
    assert "filters.1.column: there is a list of 'audience_id' already" in message


@pytest.mark.parametrize(
    ("widget", "told"),
    [
        (
            TWO_OF_SERIES,
            "measures.1: with 'series' the lines are of one measure",
        ),
        (
            "kind: bar, dimension: {column: audience_id}, measures: [{label: A, sum: clv}, {label: A, sum: entered}]",
            "measures.1.label: another measure is called 'A'",
        ),
        (
            "kind: bar, dimension: {column: audience_id}, measures: [{label: A, sum: clv}], line: {label: A, sum: clv}",
            "line.label: another measure is called 'A'",
        ),
        (
            "kind: number, measure: {label: A, one: audience_id, format: percent}",
            "measure.format: fact_profile_by_audience.audience_id is of type string and not written as a number",
        ),
        (
            "kind: table, dimensions: [{column: audience_id}], measures: [{label: A, max: as_of_date, digits: 2}]",
            "measures.0.digits: fact_profile_by_audience.as_of_date is of type date and not written as a number",
        ),
    ],
)
def test_what_would_not_be_shown_is_refused(tmp_path: Path, widget: str, told: str) -> None:
    head = PAGE.split("      - kind", maxsplit=1)[0]
    text = f"{head}      - {{title: A, dataset: fact_profile_by_audience, {widget}}}\n"
    message = faults(tmp_path, text)
    assert "conf.yaml: 1 fault" in message
    assert f"{tmp_path / 'mine.yaml'}, line 6: " in message
    assert f"sections.0.widgets.0.{told}" in message


def test_columns_of_a_table_may_be_called_alike(tmp_path: Path) -> None:
    measures = "measures: [{label: Rate, sum: clv}, {label: Rate, sum: entered}]"
    table = PAGE.replace("kind: number", "kind: table\n        dimensions: [{column: audience_id}]")
    text = table.replace("measure: {label: Members, sum: count_of_profiles}", measures)
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    assert load_config(tmp_path / "mine.yaml", Dashboard).widgets[0].kind == "table"


@pytest.mark.parametrize("value", ["2026-04-01", "'2026-04-01'"])
def test_a_date_is_written_with_or_without_quotes(tmp_path: Path, value: str) -> None:
    text = f"{PAGE}        filter: {{as_of_date: {value}}}\n"
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    (widget,) = load_config(tmp_path / "mine.yaml", Dashboard).widgets
    assert isinstance(widget, Widget)
    assert str(widget.filter["as_of_date"]) == "2026-04-01"


def test_own_datasets_are_judged_like_delivered_ones(tmp_path: Path) -> None:
    own = """\
name: fact_mine
comment: Mine.
columns: [{name: as_of_date, type: date, key: true}, {name: colour, type: string}]
persons: null
sql: SELECT :as_of AS as_of_date, channel AS colour FROM history.order
"""
    (tmp_path / "table.yaml").write_text(own, encoding="utf-8")
    text = PAGE.replace("fact_profile_by_audience", "fact_mine")
    text = text.replace("sum: count_of_profiles", "sum: colour")
    more = "  own_tables: [!include table.yaml]\n"
    message = faults(tmp_path, f"{text}        filter: {{as_of_date: soon, color: red}}\n", more)
    assert f"{tmp_path / 'mine.yaml'}, line 9: " in message
    assert "measure.sum: fact_mine.colour is of type string" in message
    assert "filter.as_of_date: fact_mine.as_of_date is of type date" in message
    assert "filter.color: fact_mine has no column 'color'. Did you mean 'colour'?" in message


def test_faults_of_shape_and_across_files_come_at_once(tmp_path: Path) -> None:
    """A widget whose kind is unknown hides neither its neighbours nor what several files disagree about."""
    broken = """\
      - kind: nmber
        title: Other
      - kind: number
        titel: Third
        dataset: fact_prophile
        measure: {label: Members, sum: count_of_profiles}
"""
    text = PAGE.replace("sections:", "filters: [{column: nosuch}]\nsections:")
    (tmp_path / "mich.yaml").write_text(text, encoding="utf-8")
    message = faults(tmp_path, PAGE + broken)
    assert "conf.yaml: 7 faults" in message
    for name, line, told in [
        ("mine", 10, "kind must be one of number"),
        ("mine", 12, "title: is required"),
        ("mine", 13, "titel: unknown key. Did you mean 'title'?"),
        ("mine", 14, "there is no dataset 'fact_prophile'. Did you mean 'fact_profile'?"),
        ("mine", 1, "the id 'mine' stands twice in 'own_dashboards'"),
        ("mich", 1, "the id 'mine' stands twice in 'own_dashboards'"),
        ("mich", 3, "no dataset of the page has a column 'nosuch'"),
    ]:
        lines = [one for one in message.splitlines() if told in one]
        assert any(f"{tmp_path / name}.yaml, line {line}: " in one for one in lines), told


def test_a_dashboard_that_is_none_hides_no_fault_of_the_others(tmp_path: Path) -> None:
    text = PAGE.replace("fact_profile_by_audience", "fact_prophile")
    message = faults(tmp_path, text, more="  dashboards: [7]\n")
    assert "dashboards.0: input should be a valid dictionary" in message
    assert "there is no dataset 'fact_prophile'" in message


@pytest.mark.parametrize(
    ("broken", "line", "told"),
    [
        ("id: mine\ntitle: [\n", 3, "column 1: not valid YAML"),
        ("id: 'a'\nid: b\n", 2, "column 1: not valid YAML (the key 'id' stands twice"),
    ],
)
def test_a_file_that_is_no_yaml_hides_no_fault_of_the_others(
    tmp_path: Path, broken: str, line: int, told: str
) -> None:
    (tmp_path / "mich.yaml").write_text(broken, encoding="utf-8")
    text = PAGE.replace("fact_profile_by_audience", "fact_prophile").replace(
        "kind: number", "kind: nmber"
    )
    other = PAGE.replace("id: mine", "id: other").replace("label: Members", "label: '{currncy}'")
    (tmp_path / "mint.yaml").write_text(other, encoding="utf-8")
    message = faults(tmp_path, text)
    assert "conf.yaml: 3 faults" in message
    assert f"{tmp_path / 'mich.yaml'}, line {line}, {told}" in message
    assert f"{tmp_path / 'mine.yaml'}, line 6: " in message
    assert f"{tmp_path / 'mint.yaml'}, line 9: " in message
    assert "measure.label: there is no {currncy}. Allowed: as_of" in message


def test_a_file_that_is_no_yaml_and_the_only_fault_is_named(tmp_path: Path) -> None:
    message = faults(tmp_path, "id: [")
    assert message.startswith(f"{tmp_path / 'mine.yaml'}: 1 fault")


def test_a_filter_of_a_page_with_an_unreadable_widget_is_not_judged(tmp_path: Path) -> None:
    text = PAGE.replace("sections:", "filters: [{column: audience_id}]\nsections:")
    message = faults(tmp_path, text.replace("dataset: fact_profile_by_audience", "dataset: 7"))
    assert "no dataset of the page" not in message


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
