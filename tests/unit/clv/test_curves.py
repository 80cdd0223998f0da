"""What the plots show, by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from clvspark.clv import ParetoNBDModel
from clvspark.clv.curves import grid_alive, track_purchases
from clvspark.clv.plots import plot_alive, plot_by_repeats, plot_deciles, plot_tracking

MODEL = ParetoNBDModel.from_params(
    {"r": 0.55, "alpha": 10.58, "s": 0.61, "beta": 11.67}, time_unit="week"
)


def test_customers_are_expected_to_buy_since_their_own_first_purchase() -> None:
    daily = pd.DataFrame(
        {
            "day": [date(2026, 1, 1), date(2026, 1, 8), date(2026, 1, 21)],
            "first": [10, 5, 0],
            "repeats": [0, 2, 1],
        }
    )
    found = track_purchases(MODEL, daily, until=date(2026, 1, 22))
    assert found["week_on"].dt.date.tolist() == [
        date(2026, 1, 7),
        date(2026, 1, 14),
        date(2026, 1, 21),
    ]
    assert found["cumulative_actual"].tolist() == [0, 2, 3]
    by_age = MODEL.expected_purchases_new_customer(t=np.array([6, 13, 20]) / 7)
    expected = [10 * by_age[0], 10 * by_age[1] + 5 * by_age[0], 10 * by_age[2] + 5 * by_age[1]]
    assert found["cumulative_predicted"].tolist() == pytest.approx(expected)
    assert found["predicted"].cumsum().tolist() == pytest.approx(expected)


def test_tracking_cdnow_holds_its_purchases(cdnow: pd.DataFrame) -> None:
    """The model fitted to 39 weeks expects of them what was bought, within a few percent."""
    ages = cdnow["T"].max() * 7 - cdnow["T"] * 7
    start = pd.Timestamp("1997-09-30") - pd.Timedelta(days=round(cdnow["T"].max() * 7))
    first = ages.round().astype(int).value_counts().sort_index()
    daily = pd.DataFrame({"day": start + pd.to_timedelta(first.index, unit="D"), "first": first})
    model = ParetoNBDModel(time_unit="week").fit(cdnow)
    tracked = track_purchases(model, daily.assign(repeats=0), until=date(1997, 10, 1))
    assert tracked["cumulative_predicted"].iloc[-1] == pytest.approx(
        cdnow["frequency"].sum(), rel=0.05
    )


def test_no_history_that_cannot_be_has_a_chance_to_be_alive() -> None:
    grid = grid_alive(MODEL, weeks=30)
    assert grid.loc[grid["repeats"] == 0, "last_purchase_week"].tolist() == [0.0]
    assert (grid["last_purchase_week"] * 7 >= grid["repeats"]).all()
    newest = grid[grid["last_purchase_week"] == 30]
    assert (newest["p_alive"] > 0.9).all()
    assert grid["p_alive"].between(0, 1).all()


def test_charts_name_their_axes_and_order_their_series() -> None:
    averages = pd.DataFrame(
        {
            "repeats": [0, 7, 0, 7],
            "customers": [9, 1, 9, 1],
            "series": ["A", "A", "actual", "actual"],
            "purchases": [0.1, 5.0, 0.2, 6.0],
        }
    )
    by_repeats = plot_by_repeats(averages).to_dict()
    assert by_repeats["encoding"]["color"]["scale"]["domain"] == ["actual", "A"]
    (rows,) = by_repeats["datasets"].values()
    assert [row["group"] for row in rows] == ["0", "7+", "0", "7+"]
    deciles = pd.DataFrame(
        {"decile": [1, 2], "mean_predicted": [4.0, 1.0], "mean_actual": [3.0, 2.0]}
    )
    assert plot_deciles(deciles, "purchases").to_dict()["mark"]["type"] == "bar"
    weeks = pd.date_range("2026-01-07", periods=2, freq="7D")
    tracked = pd.DataFrame(
        {"week_on": weeks, "cumulative_actual": [1, 3], "cumulative_predicted": [1, 2]}
    )
    layers = plot_tracking(tracked, date(2026, 1, 10), cumulative=True).to_dict()["layer"]
    assert [layer["mark"]["type"] for layer in layers] == ["rule", "line"]
    assert (
        plot_alive(grid_alive(MODEL, weeks=4)).to_dict()["encoding"]["color"]["title"] == "P(alive)"
    )
