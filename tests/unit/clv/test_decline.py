"""Decline: expectations are kept on average, and chances are those of a simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvspark.clv import (
    BetaGeoModel,
    CondensedBetaGeoModel,
    NBDModel,
    ParetoNBDModel,
)
from clvspark.clv.config import ClvConfig
from clvspark.clv.decline import chance_of_so_few, expect_residual_transactions

CONFIG = ClvConfig()  # type: ignore[call-arg]
WINDOW = 13.0
PARETO = {"r": 0.55, "alpha": 10.6, "s": 0.61, "beta": 11.7}


def pareto() -> ParetoNBDModel:
    return ParetoNBDModel.from_params(PARETO, time_unit="week")


def simulate(customers: int, weeks: float, seed: int = 5) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Histories of Pareto/NBD customers after `weeks`, and after the window that follows."""
    chance = np.random.default_rng(seed)
    rate = chance.gamma(PARETO["r"], 1 / PARETO["alpha"], customers)
    life = chance.exponential(1 / chance.gamma(PARETO["s"], 1 / PARETO["beta"], customers))
    rows = []
    for purchase_rate, end in zip(rate, life, strict=True):
        times = np.cumsum(chance.exponential(1 / purchase_rate, 400))
        rows.append([times[times <= min(end, until)] for until in (weeks, weeks + WINDOW)])

    def summary(at: int, until: float) -> pd.DataFrame:
        bought = [row[at] for row in rows]
        return pd.DataFrame(
            {
                "frequency": [len(times) for times in bought],
                "recency": [times[-1] if len(times) else 0.0 for times in bought],
                "T": until,
            }
        )

    return summary(0, weeks), summary(1, weeks + WINDOW)


def test_on_average_nobody_declines() -> None:
    then, now = simulate(20_000, 40.0)
    model = pareto()
    expected = expect_residual_transactions(model, then, CONFIG)
    today = model.discounted_expected_residual_transactions(
        now, annual_discount_rate=CONFIG.annual_discount_rate, horizon=CONFIG.horizon_days / 7
    )
    assert expected.sum() == pytest.approx(today.sum(), rel=0.02)
    for group in (then["frequency"] == 0, then["frequency"].between(1, 3), then["frequency"] > 3):
        assert expected[group].sum() == pytest.approx(today[group].sum(), rel=0.05)


def test_silence_lowers_value_below_the_expectation_and_purchases_raise_it() -> None:
    then = pd.DataFrame({"frequency": [8, 8], "recency": [38.0, 38.0], "T": [40.0, 40.0]})
    now = pd.DataFrame({"frequency": [8, 12], "recency": [38.0, 52.0], "T": [53.0, 53.0]})
    model = pareto()
    today = model.discounted_expected_residual_transactions(
        now, annual_discount_rate=CONFIG.annual_discount_rate, horizon=CONFIG.horizon_days / 7
    )
    silent, busy = today / expect_residual_transactions(model, then, CONFIG)
    assert silent < 0.7
    assert busy > 1


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (NBDModel, {"r": 1.5, "alpha": 8.0}),
        (BetaGeoModel, {"r": 0.24, "alpha": 4.4, "a": 0.79, "b": 2.4}),
        (ParetoNBDModel, PARETO),
    ],
)
def test_the_chance_of_so_few_is_that_of_a_simulation(kind: type, params: dict[str, float]) -> None:
    then = pd.DataFrame({"frequency": [0, 6, 6, 20], "recency": [0.0, 35, 35, 39], "T": 40.0})
    bought = np.array([0, 0, 2, 3])
    found = chance_of_so_few(kind.from_params(params, time_unit="week"), then, bought, CONFIG)
    chance = np.random.default_rng(3)
    rate = chance.gamma(
        params["r"] + then["frequency"].to_numpy()[:, None],
        1 / (params["alpha"] + 40.0),
        (4, 200_000),
    )
    simulated = (chance.poisson(rate * WINDOW) <= bought[:, None]).mean(axis=1)
    np.testing.assert_allclose(found, simulated, atol=0.005)
    assert (np.diff(found[:2]) < 0).all(), "the more often before, the more surprising is silence"


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_chance_of_so_few_knows_the_rhythm(k: int) -> None:
    """Of customers who never leave it is that of their purchases, here summed by number."""
    params = {"r": 2.0, "alpha": 3.0 / k, "a": 1e-9, "b": 1.0}
    model = CondensedBetaGeoModel.from_params(params, time_unit="week", regularity=k)
    then = {"frequency": [6.0, 6.0, 0.0], "recency": [38.0, 31.0, 0.0], "T": [40.0, 40.0, 9.0]}
    rows = {name: np.array(values) for name, values in then.items()}
    stages = model.alive_by_stage(rows)
    counts = model.future_purchase_counts(rows, future_t=WINDOW, most=40)
    total = np.einsum("jc,jcn->cn", stages / stages.sum(axis=0), counts).cumsum(axis=1)
    for bought in (0, 1, 5):
        found = chance_of_so_few(model, pd.DataFrame(then), np.full(3, float(bought)), CONFIG)
        np.testing.assert_allclose(found, total[:, bought], rtol=1e-6)
