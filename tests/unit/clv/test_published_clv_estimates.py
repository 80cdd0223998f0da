"""The estimates, likelihoods and predictions that the literature prints, from the raw CDNOW log."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from clvspark.clv import BetaGeoModel, GammaGammaModel, ParetoNBDModel, metrics

WEEKS_PER_YEAR = 365.25 / 7

PUBLISHED = {
    "beta_geo": ({"r": 0.242595, "alpha": 4.413602, "a": 0.792922, "b": 2.425907}, -9582.4292),
    "modified_beta_geo": (
        {"r": 0.524843, "alpha": 6.183085, "a": 0.891359, "b": 1.614002},
        -9582.1357,
    ),
    "pareto_nbd": (
        {"r": 0.553277, "alpha": 10.577684, "s": 0.606240, "beta": 11.668728},
        -9594.9762,
    ),
    "gamma_gamma": ({"p": 6.249574, "q": 3.744225, "v": 15.443517}, -4055.9177),
}


def test_the_log_gives_the_published_summary(cdnow: pd.DataFrame) -> None:
    repeaters = int((cdnow["frequency"] > 0).sum())
    totals = (len(cdnow), cdnow["frequency"].sum(), repeaters, cdnow["holdout"].sum())
    assert totals == (2357, 2457, 946, 1882)


@pytest.mark.parametrize("name", PUBLISHED)
def test_estimates_and_likelihood(name: str, request: pytest.FixtureRequest) -> None:
    params, log_likelihood = PUBLISHED[name]
    model = request.getfixturevalue(name)
    assert model.params_ == pytest.approx(params, rel=1e-5)
    assert list(model.params_) == list(params)
    assert model.log_likelihood_ == pytest.approx(log_likelihood, abs=1e-4)
    assert model.converged_


def test_published_standard_errors_of_beta_geo(beta_geo: BetaGeoModel) -> None:
    """Printed by CLVTools and BTYD for the same data."""
    expected = {"r": 0.0126, "alpha": 0.3782, "a": 0.1857, "b": 0.7054}
    assert beta_geo.standard_errors_ == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(("name", "expected"), [("beta_geo", 1.44401), ("pareto_nbd", 1.47343)])
def test_purchases_of_a_new_customer(
    name: str, expected: float, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name)
    assert model.expected_purchases_new_customer(t=52) == pytest.approx(expected, abs=6e-6)


@pytest.mark.parametrize(
    ("name", "purchases", "p_alive"),
    [("pareto_nbd", 25.455, 0.99787), ("beta_geo", 25.757, 0.96885)],
)
def test_customer_1516(
    name: str, purchases: float, p_alive: float, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name)
    customer = pd.DataFrame({"frequency": [26], "recency": [216 / 7], "T": [31.0]})
    expected = model.expected_purchases(customer, future_t=52)
    assert expected[0] == pytest.approx(purchases, abs=6e-4)
    assert model.expected_probability_alive(customer)[0] == pytest.approx(p_alive, abs=6e-6)


@pytest.mark.parametrize(
    ("name", "total", "error", "top"),
    [("pareto_nbd", 1665.5, 0.75452, 885), ("beta_geo", 1653.4, 0.78545, 879)],
)
def test_holdout_of_39_weeks(
    name: str,
    total: float,
    error: float,
    top: int,
    cdnow: pd.DataFrame,
    request: pytest.FixtureRequest,
) -> None:
    predicted = request.getfixturevalue(name).expected_purchases(cdnow, future_t=39)
    found = metrics.measure_predictions(cdnow["holdout"], predicted)
    assert found["predicted_total"] == pytest.approx(total, abs=0.05)
    assert found["mae"] == pytest.approx(error, abs=6e-6)
    assert found["top_decile_share"] == pytest.approx(top / 1882, abs=1e-12)


@pytest.mark.parametrize(("name", "mean"), [("beta_geo", 0.813), ("pareto_nbd", 0.446)])
def test_mean_probability_alive(
    name: str, mean: float, cdnow: pd.DataFrame, request: pytest.FixtureRequest
) -> None:
    p_alive = request.getfixturevalue(name).expected_probability_alive(cdnow)
    assert p_alive.mean() == pytest.approx(mean, abs=6e-4)


def test_spend_without_repeat_purchases(gamma_gamma: GammaGammaModel) -> None:
    assert gamma_gamma.expected_new_customer_spend() == pytest.approx(35.170, abs=6e-4)


def test_discounted_transactions_of_pareto_nbd() -> None:
    model = ParetoNBDModel.from_params(
        {"r": 0.5629966, "alpha": 12.559037, "s": 0.4081095, "beta": 10.5148048},
        time_unit="week",
    )
    customer = {"frequency": [7], "recency": [35.0], "T": [77.86]}
    value = model.discounted_expected_residual_transactions(customer, discount_rate_per_unit=0.0027)
    assert value[0] == pytest.approx(1.8641833, abs=6e-8)
    # The same rate, said effective a year.
    annual = math.expm1(0.0027 * WEEKS_PER_YEAR)
    same = model.discounted_expected_residual_transactions(customer, annual_discount_rate=annual)
    assert same[0] == pytest.approx(value[0], rel=1e-12)


def test_very_frequent_buyer_stays_finite() -> None:
    """The case on which ratios of hypergeometric functions overflow."""
    model = ParetoNBDModel.from_params(
        {"r": 0.5143, "alpha": 2.8845, "s": 0.2856, "beta": 14.1087}, time_unit="week"
    )
    p_alive = model.expected_probability_alive(
        {"frequency": [221], "recency": [103.42857], "T": [103.57143]}
    )
    assert p_alive[0] == pytest.approx(0.99959605, abs=1e-8)


def test_pareto_nbd_standard_errors(pareto_nbd: ParetoNBDModel) -> None:
    """CLVTools' tests of pnbd on the same CDNOW log, from a numerical Hessian."""
    published = {"r": 0.0476264, "alpha": 0.8427222, "s": 0.1872594, "beta": 6.2105448}
    assert pareto_nbd.standard_errors_ == pytest.approx(published, rel=1e-3)
