"""What widgets are answered, on a handful of rows."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from support.star import AS_OF, MARCH, tables_of

from clvspark.reporting.dashboards.answers import Cell, show_key
from clvspark.reporting.dashboards.number_panel import describe_change
from clvspark.reporting.dashboards.parts import Dimension, Measure, Rows
from clvspark.reporting.dashboards.statements import Question

SIZES = [
    {"audience_id": "top", "count_of_profiles": 40, "contactable_email": 10, "clv": 400.0},
    {"audience_id": "new", "count_of_profiles": 60, "contactable_email": 15, "clv": 60.0},
    {"audience_id": "top", "count_of_profiles": 30, "contactable_email": 9, "as_of_date": MARCH},
]
NAMES = [{"audience_id": "top", "name": "Top customers"}]
MEMBERS = Measure(label="Members", sum="count_of_profiles")
AUDIENCE = Dimension(column="audience_id")


def ask(measures: list[Measure], by: list[Dimension] | None = None, **rows: Any) -> dict[Any, Any]:
    """Names of the groups with their values, of all choices."""
    tables = tables_of(fact_profile_by_audience=SIZES, dim_audience=NAMES)
    question = Question(Rows(dataset="fact_profile_by_audience", **rows), by or [], measures)
    groups = tables.ask(question)[()]
    return {g.names: tuple(cell.value for cell in g.cells) for g in groups}


def test_rows_are_those_of_the_day_and_ids_are_shown_by_their_names() -> None:
    assert ask([MEMBERS], [AUDIENCE]) == {("Top customers",): (40.0,), ("new",): (60.0,)}


def test_over_time_all_dates_until_the_day_are_told() -> None:
    by_date = Dimension(column="as_of_date")
    assert ask([MEMBERS], [by_date]) == {("2026-03-01",): (30.0,), ("2026-04-01",): (100.0,)}


def test_a_ratio_is_of_sums_and_never_of_ratios() -> None:
    reach = Measure(label="Reach", sum="contactable_email", per="count_of_profiles")
    mean = Measure(label="CLV", mean="clv", weight="count_of_profiles")
    assert ask([reach, mean]) == {(): (0.25, (400 * 40 + 60 * 60) / 100)}


def test_filters_choose_rows_and_a_measure_may_have_its_own() -> None:
    top = Measure(label="Top", sum="count_of_profiles", where={"audience_id": "top"})
    share = Measure(
        label="Share", sum="clv", where={"audience_id": "new"},
        per="clv", per_where={"audience_id": ["top", "new"]},
    )  # fmt: skip
    assert ask([MEMBERS], filter={"audience_id": ["new", "gone"]}) == {(): (60.0,)}
    assert ask([MEMBERS], exclude={"audience_id": "new"}) == {(): (40.0,)}
    assert ask([top, share]) == {(): (40.0, 60 / 460)}


def test_several_values_are_no_one_value() -> None:
    one = Measure(label="One", one="audience_id")
    assert ask([one]) == {(): (None,)}
    assert ask([one], filter={"audience_id": "top"}) == {(): ("top",)}


def test_values_that_are_sql_are_values() -> None:
    assert ask([MEMBERS], filter={"audience_id": "top' OR '1'='1"}) == {(): (None,)}


def test_each_choice_is_answered_and_all_of_them_together() -> None:
    tables = tables_of(fact_profile_by_audience=SIZES)
    rows = Rows(dataset="fact_profile_by_audience")
    found = tables.ask(Question(rows, [], [MEMBERS], ["audience_id"]))
    assert {choice: groups[0].cells[0].value for choice, groups in found.items()} == {
        (None,): 100.0,
        ("top",): 40.0,
        ("new",): 60.0,
    }


def test_intervals_come_with_their_values() -> None:
    estimate = {"incremental_margin": 5.0, "ci_low": -1.0, "ci_high": 11.0}
    rows = [{"audience_id": "top", "status": "measured", **estimate}]
    tables = tables_of(measurement__incremental_value=rows)
    measure = Measure(label="Margin", one="incremental_margin", low="ci_low", high="ci_high")
    question = Question(Rows(dataset="measurement.incremental_value"), [], [measure])
    assert tables.ask(question)[()][0].cells == (Cell(5.0, -1.0, 11.0),)


def test_the_newest_fold_is_the_last_one() -> None:
    rows = [
        {"model": "m", "measure": "mae", "value": v, "fold_origin": day, "holdout_days": 1}
        for v, day in ((1.0, date(2025, 8, 1)), (2.0, date(2025, 10, 1)))
    ]
    tables = tables_of(clv__backtest=rows)
    question = Question(
        Rows(dataset="clv.backtest", newest=["fold_origin"]),
        [],
        [Measure(label="MAE", max="value")],
    )
    assert tables.ask(question)[()][0].cells[0].value == 2.0


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "unknown"), (True, "yes"), (0.1, "0.1"), (AS_OF, "2026-04-01"), ("web", "web")],
)
def test_keys_are_shown_as_people_write_them(value: object, text: str) -> None:
    assert show_key(value) == text
    assert show_key(AS_OF, "month") == "2026-04"


def test_a_change_is_told_as_a_share_and_of_shares_in_points() -> None:
    percent = Measure(label="Reach", sum="a", per="b", format="percent")
    assert describe_change(110.0, 100.0, MEMBERS) == "+10.0 %"
    assert describe_change(90.0, 100.0, MEMBERS) == "\N{MINUS SIGN}10.0 %"
    assert describe_change(0.25, 0.2, percent) == "+5.0 points"
    assert describe_change(5.0, 0.0, MEMBERS) == ""
    assert describe_change(None, 1.0, MEMBERS) == ""
