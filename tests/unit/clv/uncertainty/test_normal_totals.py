"""Values of either sign: mixtures of normal totals, a jump at 0, and their quantiles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from support.customers import BETA_GEO, SIGNED_SPEND, simulate_customers

from clvspark.clv import BetaGeoModel, NBDModel, NormalNormalModel
from clvspark.clv.uncertainty import OutcomeModel, Outcomes, ValueUncertainty

HISTORIES = pd.DataFrame(
    {
        "frequency": [0.0, 1.0, 3.0, 30.0],
        "recency": [0.0, 1.0, 28.0, 39.0],
        "T": [30.0, 60.0, 30.0, 40.0],
        "monetary_value": [0.0, 12.5, -40.0, 25.0],
    }
)
SPEND = NormalNormalModel.from_params(SIGNED_SPEND, time_unit="week")


def predict(histories: pd.DataFrame = HISTORIES, **options: float) -> Outcomes:
    model = BetaGeoModel.from_params(BETA_GEO, time_unit="week")
    return OutcomeModel(model, SPEND, **{"horizon": 52.0, **options}).predict(histories)


def test_the_total_of_n_purchases_shares_the_mean_of_the_customer() -> None:
    """mu 6, tau 9, sigma 12; 4 purchases of mean 20: precision 1/81 + 4/144, mean 6 + 14 * 9/13."""
    history = pd.DataFrame(
        {"frequency": [4.0], "recency": [9.0], "T": [10.0], "monetary_value": [20.0]}
    )
    nbd = NBDModel.from_params({"r": 2.0, "alpha": 3.0}, time_unit="week")
    outcomes = OutcomeModel(nbd, SPEND, horizon=5.0).predict(history)
    triples = {name: history[name].to_numpy() for name in ("frequency", "recency", "T")}
    counts = nbd.future_purchase_counts(triples, future_t=5.0, most=200)[0, 0]
    n = np.arange(1, 201)
    mean, variance = 6 + 14 * 9 / 13, 1 / (1 / 81 + 4 / 144)
    total = norm(n * mean, np.sqrt(n * 144 + n**2 * variance))
    for amount in (-30.0, 0.0, 50.0):
        nothing = counts[0] * (amount < 0)
        assert outcomes.probability_above(amount)[0] == pytest.approx(
            float(counts[1:] @ total.sf(amount)) + nothing, abs=1e-6
        )


@pytest.mark.parametrize("level", [0.02, 0.1, 0.5, 0.9, 0.99])
def test_quantiles_invert_probabilities_on_both_sides_of_the_jump(level: float) -> None:
    outcomes = predict(annual_discount_rate=0.1)
    value = outcomes.value(level)
    above, below = outcomes.probability_above(value), outcomes.totals.probability_below(value)
    moved = value != 0
    np.testing.assert_allclose(above[moved], 1 - level, atol=1e-6)
    assert np.all(above[~moved] <= 1 - level)
    assert np.all(below[~moved] <= level)
    jump = (
        1.0
        - outcomes.probability_above(np.zeros(4))
        - outcomes.totals.probability_below(np.zeros(4))
    )
    np.testing.assert_allclose(
        jump, 1.0 - outcomes.counts.probability_above(np.zeros(4)), atol=1e-6
    )


def test_losses_and_gains_are_both_likely_of_one_about_whom_little_is_known() -> None:
    outcomes = predict()
    assert outcomes.value(0.02)[2] < 0 < outcomes.value(0.999)[2]
    assert outcomes.value(0.9)[3] > 0


def test_intervals_of_signed_money_enclose_its_expectation() -> None:
    customers = simulate_customers("BetaGeoModel", BETA_GEO, n=3_000, seed=4, spend=SIGNED_SPEND)
    transaction = BetaGeoModel(time_unit="week").fit(customers)
    spend = NormalNormalModel().fit(customers)
    known = ValueUncertainty(
        transaction, spend, horizon=52.0, annual_discount_rate=0.1, sample=customers
    )
    found = known.describe(customers)
    expected = spend.expected_customer_spend(customers)
    assert (expected < 0).any()
    assert (
        (found["expected_spend_low"] <= expected) & (expected <= found["expected_spend_high"])
    ).all()
    assert (found["residual_value_low"] <= found["residual_value_high"]).all()
    assert (found["value_low"] < 0).any()
    assert found["p_top_outcome"].mean() == pytest.approx(0.1, abs=1e-6)
    assert np.isfinite(found).all().all()


@given(
    st.integers(0, 60),
    st.floats(0.5, 200.0),
    st.floats(0.01, 1.0),
    st.floats(-300.0, 300.0),
    st.floats(1.0, 100.0),
)
@settings(max_examples=40, deadline=None)
def test_chances_fall_and_quantiles_rise(  # type: ignore[no-untyped-def]
    x, age, part, spend, horizon
):
    history = pd.DataFrame(
        {
            "frequency": [float(x)],
            "recency": [age * part if x else 0.0],
            "T": [age],
            "monetary_value": [spend if x else 0.0],
        }
    )
    outcomes = predict(history, horizon=horizon)
    chances = [outcomes.probability_above(v)[0] for v in (-1e6, -50.0, -1.0, 0.0, 1.0, 50.0, 1e6)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] == pytest.approx(1.0, abs=1e-5)
    assert chances[-1] == pytest.approx(0.0, abs=1e-6)
    quantiles = [outcomes.value(level)[0] for level in (0.05, 0.3, 0.7, 0.95)]
    assert quantiles == sorted(quantiles)
