"""Numbers on the page about customer value are those that the code gives."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clvspark.clv import GammaGammaModel, ParetoNBDModel, metrics
from clvspark.clv.challenger.features import FEATURES
from clvspark.clv.config import ClvConfig

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "clv.md").read_text(encoding="utf-8")
HOLDOUT = pd.Timedelta(days=182)
ORIGINS = [pd.Timestamp(day) for day in ("1997-12-31", "1997-11-05", "1997-09-10")]


def test_the_features_of_the_challenger_are_counted() -> None:
    assert f"challenger of {len(FEATURES)} features" in PAGE
    assert len({*FEATURES}) == len(FEATURES)


def backtest_value(log: pd.DataFrame, origin: pd.Timestamp) -> dict[str, tuple[float, float]]:
    """MAE and normalised Gini of revenue of 182 days, by each spend_of and by the simple formula."""
    days = log.groupby(["customer_id", "day"], as_index=False)["spend"].sum()
    known = days[days["day"] < origin].sort_values("day").groupby("customer_id")
    buys, total, first_spend = known.size(), known["spend"].sum(), known["spend"].first()
    first, last = known["day"].min(), known["day"].max()
    later = days[(days["day"] >= origin) & (days["day"] < origin + HOLDOUT)]
    actual = later.groupby("customer_id")["spend"].sum().reindex(buys.index).fillna(0.0)
    age = (origin - first).dt.days
    triples = pd.DataFrame(
        {"frequency": buys - 1, "recency": (last - first).dt.days / 7, "T": (age - 1) / 7}
    )
    purchases = ParetoNBDModel(time_unit="week").fit(triples)
    expected = purchases.expected_purchases(triples, future_t=HOLDOUT.days / 7)
    repeats = np.maximum(buys - 1, 1)
    means = {
        "all_purchases": (buys, total / buys),
        "repeat_purchases": (buys - 1, (total - first_spend) / repeats),
    }
    predicted = {}
    for name, (frequency, mean) in means.items():
        rows = pd.DataFrame({"frequency": frequency, "monetary_value": mean.clip(lower=0.01)})
        priced = (frequency > 0) & (mean > 0)
        spend = GammaGammaModel().fit(rows[priced])
        predicted[name] = expected * spend.expected_customer_spend(rows)
    # The last day that is known ends the relationship; a year is the least.
    predicted["simple formula"] = (
        total * HOLDOUT.days / 365.25 / np.maximum((age - 1) / 365.25, 1.0)
    )
    return {
        name: (
            metrics.mean_absolute_error(actual, values),
            metrics.normalised_gini(actual, values),
        )
        for name, values in predicted.items()
    }


@pytest.fixture(scope="module")
def found(cdnow_log: pd.DataFrame) -> dict[str, np.ndarray]:
    """MAE and normalised Gini, fold by fold."""
    folds = [backtest_value(cdnow_log, origin) for origin in ORIGINS]
    return {name: np.array([fold[name] for fold in folds]) for name in folds[0]}


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("all_purchases", r"\| `all_purchases` \| ([\d.]+) \| ([\d.]+)"),
        ("repeat_purchases", r"\| `repeat_purchases`, the default \| ([\d.]+) \| ([\d.]+)"),
        ("simple formula", r"\| simple formula \| \| ([\d.]+) \| ([\d.]+)"),
    ],
)
def test_both_settings_of_spend_are_told(found: dict[str, np.ndarray], name: str, row: str) -> None:
    told = re.search(row, PAGE)
    assert told
    mae, gini = found[name].mean(axis=0)
    assert float(told[1]) == pytest.approx(mae, abs=0.006)
    assert float(told[2]) == pytest.approx(gini, abs=0.0006)


def test_the_page_says_which_ranks_better(found: dict[str, np.ndarray]) -> None:
    """The default loses to the simple formula on every fold; all purchases win on average, not on the newest."""
    assert ClvConfig().spend_of == "repeat_purchases"
    default, all_of_them, simple = (
        found[name][:, 1] for name in ("repeat_purchases", "all_purchases", "simple formula")
    )
    assert np.all(default < simple)
    assert all_of_them.mean() > simple.mean()
    assert all_of_them[0] < simple[0]
    assert "the simple formula ranks value better** on average and on\nevery fold" in PAGE
    assert np.all(found["repeat_purchases"][:, 0] < found["simple formula"][:, 0])
