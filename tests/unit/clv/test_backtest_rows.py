"""Baselines by hand, and the rows in which a backtest is kept."""

from __future__ import annotations

from datetime import date
from typing import get_args

import pandas as pd
import pytest

from clvspark.clv.backtest_rows import list_backtest, list_backtest_deciles
from clvspark.clv.baselines import extrapolate_average_rate, repeat_last_period
from clvspark.clv.competition import Competition
from clvspark.clv.config import BacktestConfig, ClvConfig, Measure
from clvspark.clv.folds import list_folds
from clvspark.clv.validate import list_deciles, measure_outcome

AS_OF, NEW, OLD = date(2026, 7, 1), date(2026, 1, 1), date(2025, 12, 1)
CONFIG = ClvConfig(holdout_days=181, backtest=BacktestConfig(folds=2, step_days=31))  # type: ignore[call-arg]


def test_baselines_repeat_the_last_period_and_the_average_rate() -> None:
    persons = pd.DataFrame(
        {
            "frequency": [3, 0], "t_days": [730.5, 10.0], "historical_value": [80.0, 9.0],
            "purchases_before": [1.0, 1.0], "value_before": [15.0, 9.0],
        }
    )  # fmt: skip
    last = repeat_last_period(persons, 182)
    assert (last["purchases"].tolist(), last["value"].tolist()) == ([1, 1], [15, 9])
    rate = extrapolate_average_rate(persons, 365)
    # Four purchases in two years; a history of days counts as a year.
    assert rate["purchases"].tolist() == pytest.approx([2, 1], rel=1e-3)
    assert rate["value"].tolist() == pytest.approx([40, 9], rel=1e-3)


def test_the_lags_of_the_folds_are_those_that_history_keeps() -> None:
    assert [(fold.origin, fold.lag_days) for fold in list_folds(CONFIG, AS_OF, OLD)] == [(NEW, 181)]
    assert CONFIG.fold_lags_days == [181, 212]
    assert CONFIG.lags_days == [0, 91, 181, 212]


def test_what_was_refused_anywhere_is_kept_with_its_fold_and_role() -> None:
    folds = list_folds(CONFIG, AS_OF, date(2025, 1, 1))
    found = Competition(
        measures={"NBDModel": {NEW: {"mae": 1.0}}, "LastPeriod": {NEW: {"mae": 2.0}}},
        refused={("NBDModel", OLD): "too young", ("ParetoNBDModel", None): "at a bound"},
    )
    rows = {row[1:4]: row[4:] for row in list_backtest(found, folds, CONFIG, AS_OF)}
    assert rows == {
        ("LastPeriod", NEW, "fitted"): (1.0, "baseline", 181, None),
        ("LastPeriod", NEW, "mae"): (2.0, "baseline", 181, None),
        ("NBDModel", NEW, "fitted"): (1.0, "candidate", 181, None),
        ("NBDModel", NEW, "mae"): (1.0, "candidate", 181, None),
        ("NBDModel", OLD, "fitted"): (0.0, "candidate", 181, "too young"),
        ("ParetoNBDModel", NEW, "fitted"): (0.0, "candidate", 181, "at a bound"),
    }


def test_where_nobody_bought_there_are_errors_but_no_shares() -> None:
    groups = pd.DataFrame({"actual": [0.0, 0.0], "predicted": [2.0, 1.0], "weight": [10, 30]})
    found = measure_outcome(groups, "purchases")
    assert {"customers", "mae", "rmse", "predicted_purchases"} < set(found)
    assert found["mae"] == pytest.approx(50 / 40)
    assert not {"bias", "total_error", "top_decile_share", "normalised_gini"} & set(found)
    deciles = list_deciles(groups)
    assert [row["customers"] for row in deciles] == [4] * 10
    assert deciles[0]["cumulative_share"] is None
    kept = list_backtest_deciles(Competition(deciles={("A", NEW, "value"): deciles}), AS_OF)
    assert kept[0] == (AS_OF, "A", NEW, "value", 1, 4, 2.0, 0.0, None)


def test_by_what_the_champion_is_chosen_is_told_in_words_for_every_measure() -> None:
    rules = {by: ClvConfig(champion_by=by).champion_rule for by in get_args(Measure)}
    assert rules["value_mae"] == "smallest mean absolute error (MAE) of the value of a customer"
    assert (
        rules["normalised_gini"]
        == "largest normalised Gini coefficient of the purchases of a customer"
    )
    assert len(set(rules.values())) == len(rules)
