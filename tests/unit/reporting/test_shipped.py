"""What the shipped dashboards say, cell by cell."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from support.star import AS_OF, MARCH, dataset_rows, shop_rows

from clvspark.history.tables import ATTRIBUTION_METHODS
from clvspark.reporting.blocks import Chart, Grid, Note, Tile
from clvspark.reporting.dashboards.answers import Tables
from clvspark.reporting.dashboards.page import draw_widget
from clvspark.reporting.dashboards.panels import Canvas, Panel
from clvspark.reporting.datasets import DATASETS
from clvspark.reporting.formats import UNKNOWN

WORDS = {
    "as_of": str(AS_OF), "currency": "EUR", "value": "margin", "horizon_days": "364",
    "champion_rule": "smallest MAE of value", "window_days": "91",
    "window_so_far": "30 of the 91 days from 2026-04-01 on are known so far", "period": "",
}  # fmt: skip


@pytest.fixture
def draw(shipped):
    """Draw the widget of a dashboard whose title begins so."""

    def draw(
        name: str, title: str, smallest_group: int = 1, **changed: list[dict[str, Any]]
    ) -> Panel:
        rows = shop_rows() | {
            key.replace("__", "."): dataset_rows(key.replace("__", "."), found)
            for key, found in changed.items()
        }
        tables = Tables(rows, DATASETS, as_of=AS_OF, smallest_group=smallest_group)
        (dashboard,) = (d for d in shipped if d.id == name)
        widget = next(w for w in dashboard.widgets if getattr(w, "title", "").startswith(title))
        return draw_widget(widget, Canvas(tables, [], WORDS), "w")

    return draw


def rows_of(panel: Panel) -> Any:
    """The rows of a table, or of a chart."""
    if isinstance(panel.block, Chart):
        return panel.block.spec["datasets"]["rows"]
    assert isinstance(panel.block, Grid)
    return panel.block.rows


DECILES = [
    {"metric": "clv", "decile": n, "count_of_profiles": 100, "value": value, "p_alive": 0.5,
     "expected_purchases": 1.25, "historical_value": past, "residual_value": value - past,
     "revenue_after": after}
    for n, value, past, after in ((1, 12_345.0, 8_345.0, 900.0), (2, 1_000.0, 500.0, 100.0))
]  # fmt: skip


def test_historical_and_residual_value_stand_beside_their_sum_and_what_came_true(draw) -> None:
    panel = draw("overview", "Deciles of customer lifetime value", fact_clv_decile=DECILES)
    assert panel.block.columns[2:5] == [
        "Historical margin (EUR)", "Residual margin (EUR)", "CLV: their sum (EUR)",
    ]  # fmt: skip
    assert rows_of(panel) == [
        ["1", "100", "8,345", "4,000", "12,345", "92.5 %", "123.45", "50.0 %", "1.25", "900", "9.00"],
        ["2", "100", "500", "500", "1,000", "7.5 %", "10.00", "50.0 %", "1.25", "100", "1.00"],
        ["total", "200", "8,845", "4,500", "13,345", "100.0 %", "66.72", "50.0 %", "1.25", "1,000", "5.00"],
    ]  # fmt: skip


def test_prediction_and_outcome_are_compared_as_shares_that_add_up_to_one(draw) -> None:
    rows = rows_of(draw("overview", "Predicted residual value"))
    for series in {row["series"] for row in rows}:
        assert sum(row["value"] for row in rows if row["series"] == series) == pytest.approx(1)


def test_a_window_that_is_not_over_is_not_yet_observed_and_never_zero(draw) -> None:
    early = [{**row, "revenue_after": None} for row in DECILES]
    for row in rows_of(draw("overview", "Deciles of customer", fact_clv_decile=early)):
        assert row[-2:] == [UNKNOWN, UNKNOWN]
    compared = draw("overview", "Predicted residual", fact_clv_decile=early).block
    assert isinstance(compared, Note)
    assert "not yet observed (30 of the 91 days" in compared.text
    tile = draw("overview", "Came in since", fact_clv_decile=early).block
    assert isinstance(tile, Tile)
    assert (tile.value, tile.hint[-46:]) == (UNKNOWN, WORDS["window_so_far"][-46:])
    experiment = {"audience_id": "top", "outcome": "margin", "status": "not_yet_observed"}
    effects = draw("experiments", "Margin a person", measurement__experiment=[experiment]).block
    assert isinstance(effects, Note)
    assert "30 of the 91 days" in effects.text


def test_concentration_runs_from_nothing_to_everything(draw) -> None:
    rows = [
        row
        for row in rows_of(draw("overview", "Concentration"))
        if row["series"] == "residual value"
    ]
    assert (rows[0]["name"], rows[0]["value"]) == (0.0, 0.0)
    assert (rows[-1]["name"], rows[-1]["value"]) == (1.0, 1.0)
    assert [row["value"] for row in rows] == sorted(row["value"] for row in rows)


def test_the_headline_says_what_has_changed_since_the_date_before(draw) -> None:
    tile = draw("overview", "Customers").block
    assert isinstance(tile, Tile)
    assert (tile.value, tile.change) == ("200", "+25.0 % since 2026-03-01")
    assert draw("overview", "Anonymous revenue").block.value == "5.0 %"


def test_why_nobody_is_valued_is_told_on_the_first_page(draw) -> None:
    warning = {"stage": "fit", "measure": "warning: the shop is young", "value": 1.0, "kind": "warning",
               "text": "the shop is young"}  # fmt: skip
    panel = draw("overview", "What the models warn of", fact_operation=[warning])
    assert rows_of(panel) == [["fit", "the shop is young", "1"]]
    assert draw("overview", "What the models warn of").block == Note(
        "", title="What the models warn of"
    )


def test_a_model_that_could_not_be_fitted_is_shown_with_its_reason(draw) -> None:
    refused = {"model": "NBDModel", "measure": "fitted", "value": 0.0, "holdout_days": 182, "role": "candidate",
               "fold_origin": date(2025, 10, 1), "reason": "no maximum."}  # fmt: skip
    assert rows_of(draw("models", "Models that are left out", clv__backtest=[refused])) == [
        ["NBDModel", "no maximum.", "182"]
    ]
    assert draw("models", "Models that are left out").block.text == "Every model could be fitted."


def test_what_was_bought_is_one_line_through_the_bars_of_all_models(draw) -> None:
    rows = rows_of(draw("models", "Purchases predicted"))
    assert {row["value"] for row in rows if row["series"] == "Actual"} == {1_000.0}


def test_models_stand_in_one_order_in_all_tables_and_charts(draw, shipped) -> None:
    """The better one of the two is the second by name."""
    (models,) = (dashboard for dashboard in shipped if dashboard.id == "models")
    for widget in models.widgets:
        panel = draw("models", widget.title)
        if isinstance(panel.block, Note):
            continue
        rows = rows_of(panel)
        names = [row["name"] if isinstance(row, dict) else row[0] for row in rows]
        assert list(dict.fromkeys(names)) == ["BetaGeoModel", "ParetoNBDModel"], widget.title


def test_the_champion_is_marked(draw) -> None:
    panel = draw("models", "Parameters with")
    assert [row[0] for row in rows_of(panel)] == ["BetaGeoModel", "ParetoNBDModel"]
    assert panel.block.marked == {1}
    for title in ("Predicted against actual", "Value (", "Coverage"):
        judged = draw("models", title)
        assert [rows_of(judged)[n][0] for n in judged.block.marked] == ["ParetoNBDModel"]
    assert "smallest MAE of value" in draw("models", "Predicted against actual").block.hint


def test_one_date_is_told_in_numbers_and_several_as_lines(draw) -> None:
    one = draw("audiences", "Members over time")
    assert one.block.columns == ["Audience", "2026-04-01"]
    assert rows_of(one) == [["Top customers", "400"], ["Lapsed", "200"]]
    assert "One date so far: lines are drawn from the second on." in one.block.hint
    sizes = [
        {"audience_id": "top", "count_of_profiles": 5, "as_of_date": day} for day in (MARCH, AS_OF)
    ]
    two = draw("audiences", "Members over time", fact_profile_by_audience=sizes)
    assert [row["name"] for row in rows_of(two)] == ["2026-03-01", "2026-04-01"]


def test_of_many_audiences_the_largest_have_lines_and_all_have_numbers(draw) -> None:
    """The first by name was the largest a month ago, and is the smallest now."""
    sizes = [
        {"audience_id": f"a{n}", "count_of_profiles": size, "as_of_date": day}
        for n in range(7)
        for day, size in ((MARCH, 100 - n), (AS_OF, 10 * (n + 1)))
    ]
    largest_first = [f"a{n}" for n in range(6, -1, -1)]
    panel = draw("audiences", "Members over time", fact_profile_by_audience=sizes)
    lines = list(dict.fromkeys(row["series"] for row in rows_of(panel)))
    assert lines == largest_first[:5]
    assert panel.block.numbers.columns == ["Date", *largest_first]
    assert panel.block.numbers.rows[1] == [
        "2026-04-01", "70", "60", "50", "40", "30", "20", "10",
    ]  # fmt: skip
    assert panel.block.hint.endswith("2 more are in the numbers only.")
    few = draw("audiences", "Members over time", fact_profile_by_audience=sizes[:10])
    assert "more are" not in few.block.hint


def test_codes_are_told_in_words(draw) -> None:
    assert [row["name"] for row in rows_of(draw("operations", "Rows kept out, by r"))] == [
        "check: quantity"
    ]
    assert rows_of(draw("audiences", "Lists by destination"))[0][0] == "email tool"


def test_overlap_is_read_from_the_row_and_holds_both_directions(draw) -> None:
    shares = {(r["name"], r["column"]): r["value"] for r in rows_of(draw("audiences", "Overlap"))}
    assert shares == {
        ("Top customers", "Top customers"): 1.0,
        ("Top customers", "Lapsed"): 50 / 400,
        ("Lapsed", "Top customers"): 50 / 200,
        ("Lapsed", "Lapsed"): 1.0,
    }


def test_response_rates_are_of_those_contacted_and_unranked_persons_are_last(draw) -> None:
    rows = rows_of(draw("campaigns", "Responses by decile"))
    assert [row[0] for row in rows] == [*(str(n) for n in range(1, 11)), "not ranked", "total"]
    assert rows[0][:4] == ["1", "100", "49", "49.0 %"]
    assert {row["name"] for row in rows_of(draw("campaigns", "Response rates"))} == {
        str(n) for n in range(1, 11)
    }


def test_responses_are_shown_by_audience_and_do_not_claim_to_add_up(draw) -> None:
    panel = draw("campaigns", "Responses by audience")
    assert rows_of(panel) == [
        ["Top customers", "100", "40", "40.0 %", "8", "8.0 %", "4", "4.0 %", "0"]
    ]
    assert "do not add up" in panel.block.hint


def test_groups_of_few_persons_are_not_told(draw) -> None:
    panel = draw("audiences", "Audience sizes, reach", smallest_group=300)
    assert [row[1] for row in rows_of(panel)] == [UNKNOWN, UNKNOWN], (
        "nor the one that follows from it"
    )
    assert "Groups of fewer than 300 persons are not told." in panel.block.hint


def test_a_forecast_that_was_too_high_is_more_than_all_of_what_came(draw) -> None:
    rows = rows_of(draw("finance", "Months that are over"))
    assert rows[0][:4] == ["2026-04-01", "500", "400", "125.0 %"]
    assert rows[-1][:4] == ["total", "1,000", "800", "125.0 %"]
    assert len(rows) == 3, "June is not over"


def test_retention_is_a_share_of_the_first_month(draw) -> None:
    cells = {
        (r["name"], r["column"]): r["value"]
        for r in rows_of(draw("finance", "Retention by cohort"))
    }
    assert cells["2026-01", "0"] == 1.0
    assert cells["2026-01", "1"] == 0.5
    assert {name for name, _ in cells} == {"2026-01", "2026-02"}, "of March one month is known"


def test_spend_is_told_beside_what_it_brought(draw) -> None:
    spent = {"channel": "web", "spend": 600, "new_customers": 100, "clv": 2_400.0, "margin": 900,
             "payback_months": 5, "starts_on": AS_OF, "ends_on": AS_OF}  # fmt: skip
    assert rows_of(draw("finance", "CLV to CAC", fact_acquisition=[spent])) == [
        ["web", "100", "600", "6.00", "24.00", "4.00", "900", "5"]
    ]


def test_each_clv_a_customer_says_of_which_customers_it_is(draw) -> None:
    acquired = draw("finance", "CLV to CAC", fact_acquisition=[{"channel": "web"}]).block
    assert "of customers acquired in months with spend" in acquired.title
    assert "CLV a new customer (EUR)" in acquired.columns
    assert "of all customers" in draw("finance", "CLV a customer, ").block.title
    assert "of all customers" in draw("finance", "CLV a customer (").block.hint


def test_an_interval_stands_beside_its_estimate_and_says_whether_it_stands_out(draw) -> None:
    panel = draw("experiments", "What acting was worth")
    assert rows_of(panel)[0][3] == "450 (-900 to 1,800)"
    series = {row["name"]: row["series"] for row in rows_of(draw("experiments", "Margin a person"))}
    assert series == {"Top customers": "significant", "Lapsed": "not significant"}


def test_groups_that_are_too_small_are_said_to_be_so_and_have_no_power(draw) -> None:
    common = {"outcome": "margin", "basis": "members", "mean_before": 9.3}
    rows = [
        {**common, "audience_id": "top", "treatment_persons": 360, "holdout_persons": 40, "power": 0.8,
         "minimum_detectable_effect": 8.19, "status": "foreseen"},
        {**common, "audience_id": "lapsed", "treatment_persons": 55, "holdout_persons": 6, "status": "too_few_persons"},
    ]  # fmt: skip
    assert rows_of(draw("experiments", "Power", measurement__power=rows)) == [
        ["Lapsed", "margin", "55", "6", "9.30", UNKNOWN, UNKNOWN, "too few persons"],
        ["Top customers", "margin", "360", "40", "9.30", "80.0 %", "8.19", "foreseen"],
    ]


def test_runs_add_up(draw) -> None:
    assert rows_of(draw("operations", "Runs"))[-1] == ["total", "", "1,007", "12.3"]


def test_every_method_of_attribution_adds_up_to_the_same_orders(draw) -> None:
    """The method is always one, as all of them together would count each order twice."""
    for title, cells in (
        ("Credit by channel", ["email", "direct"]),
        ("Credit by campaign", ["Spring", "of no campaign"]),
    ):
        for method, revenue in (("last", ["305.00", "695.00"]), ("markov", ["252.50", "747.50"])):
            rows = [
                row
                for row in shop_rows()["fact_attribution"].to_pylist()
                if row["method"] == method
            ]
            found = rows_of(draw("finance", title, fact_attribution=rows))
            assert {row[0]: row[2] for row in found} == {
                **dict(zip(cells, revenue, strict=True)), "total": "1,000.00"
            }  # fmt: skip


def test_the_method_of_attribution_is_always_chosen(shipped) -> None:
    (finance,) = (dashboard for dashboard in shipped if dashboard.id == "finance")
    (choice,) = (one for one in finance.filters if one.column == "method")
    assert choice.required
    assert set(choice.order) == set(choice.names) == set(ATTRIBUTION_METHODS)
