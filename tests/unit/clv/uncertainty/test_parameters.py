"""Draws of parameters, the delta method beside them, and both on CDNOW."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.customers import PARETO, SPEND, simulate_customers

from clvspark.clv import (
    BetaGeoModel,
    CondensedBetaGeoModel,
    GammaGammaModel,
    NormalNormalModel,
    ParetoNBDModel,
)
from clvspark.clv.models.errors import ConvergenceError, InvalidArgumentError
from clvspark.clv.uncertainty import Linearised, ParameterDraws, linearise

FEW = 400


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return simulate_customers("ParetoNBDModel", PARETO, n=3_000, seed=1)


@pytest.fixture(scope="module")
def fitted(customers: pd.DataFrame) -> ParetoNBDModel:
    return ParetoNBDModel(time_unit="week").fit(customers)


def test_draws_have_the_covariance_they_were_drawn_from(fitted: ParetoNBDModel) -> None:
    draws = ParameterDraws.from_covariance(fitted, n_draws=4_000, seed=1)
    spread = np.sqrt(np.diag(fitted.log_covariance_))
    np.testing.assert_allclose(np.sqrt(np.diag(draws.covariance)), spread, rtol=0.05)
    np.testing.assert_allclose(
        draws.values.mean(axis=0), fitted.unconstrained(), atol=4 * spread.max() / 60
    )


def test_bootstrap_agrees_with_the_covariance_where_customers_are_many() -> None:
    customers = simulate_customers("BetaGeoModel", BETA_GEO_WIDE, n=6_000, seed=2)
    model = BetaGeoModel(time_unit="week").fit(customers)
    draws = ParameterDraws.from_bootstrap(model, customers, n_draws=150, seed=3)
    expected = np.sqrt(np.diag(model.log_covariance_))
    np.testing.assert_allclose(np.sqrt(np.diag(draws.covariance)), expected, rtol=0.25)


BETA_GEO_WIDE = {"r": 0.6, "alpha": 5.0, "a": 0.8, "b": 2.5}


def test_bootstrap_is_a_function_of_rows_and_seed_and_not_of_their_order(
    customers: pd.DataFrame,
) -> None:
    few = customers[:FEW]
    model = BetaGeoModel(time_unit="week").fit(few)
    once = model.bootstrap(few, n_draws=5, seed=4)
    again = model.bootstrap(few.sample(frac=1, random_state=1), n_draws=5, seed=4)
    np.testing.assert_array_equal(once, again)
    assert not np.allclose(once, model.bootstrap(few, n_draws=5, seed=5))


def test_bootstrap_of_one_resample_is_the_fit_of_it(customers: pd.DataFrame) -> None:
    """The warm-started search ends where a fit from scratch does."""
    few = customers[["frequency", "recency", "T"]][:FEW].sort_values(["frequency", "recency", "T"])
    model = ParetoNBDModel(time_unit="week").fit(few)
    found = model.bootstrap(few, n_draws=2, seed=6)[0]
    weight = np.random.default_rng(6).poisson(np.ones(len(few)))
    refitted = ParetoNBDModel(time_unit="week").fit(few.assign(weight=weight))
    np.testing.assert_allclose(found, refitted.unconstrained(), atol=2e-3)


def test_bootstrap_of_signed_and_of_condensed_models() -> None:
    rng = np.random.default_rng(7)
    frequency = rng.integers(1, 9, 1_500)
    mean = rng.normal(-2.0, 3.0, 1_500) + rng.normal(0.0, 6.0 / np.sqrt(frequency))
    rows = {"frequency": frequency, "monetary_value": mean}
    margin = NormalNormalModel().fit(rows)
    draws = ParameterDraws.from_bootstrap(margin, rows, n_draws=100, seed=8)
    low, high = draws.parameter_intervals()["mu"]
    assert low < margin.params_["mu"] < high < 0
    assert high - low == pytest.approx(2 * 1.2816 * margin.standard_errors_["mu"], rel=0.3)
    past = simulate_customers("BetaGeoModel", BETA_GEO_WIDE, n=1_500, seed=9)
    condensed = CondensedBetaGeoModel(time_unit="week", regularity=1).fit(past)
    plain = BetaGeoModel(time_unit="week").fit(past)
    np.testing.assert_allclose(
        condensed.bootstrap(past, n_draws=3, seed=1),
        plain.bootstrap(past, n_draws=3, seed=1),
        atol=5e-3,
    )


def test_bootstrap_says_when_resamples_do_not_identify_the_model() -> None:
    past = simulate_customers("BetaGeoModel", BETA_GEO_WIDE, n=1_500, seed=10)
    model = BetaGeoModel(time_unit="week").fit(past)
    with pytest.raises(ConvergenceError, match="resamples have no interior maximum"):
        model.bootstrap(past[past["frequency"] > 0][:1], n_draws=4, seed=1)
    with pytest.raises(InvalidArgumentError, match="n_draws: must be at least 2"):
        model.bootstrap(past, n_draws=1, seed=1)


@pytest.mark.parametrize(
    ("kind", "ask"),
    [
        ("probability", lambda m, rows: m.expected_probability_alive(rows)),
        ("positive", lambda m, rows: m.expected_purchases(rows, future_t=52)),
        (
            "positive",
            lambda m, rows: m.discounted_expected_residual_transactions(
                rows, annual_discount_rate=0.1, horizon=52
            ),
        ),
    ],
)
def test_delta_method_agrees_with_draws(fitted, customers, kind, ask) -> None:  # type: ignore[no-untyped-def]
    rows = customers[:200]
    draws = ParameterDraws.from_covariance(fitted, n_draws=2_000, seed=11)
    by_draws = draws.interval(lambda model: ask(model, rows))
    by_delta = linearise(fitted, lambda model: ask(model, rows)).interval(kind=kind)
    estimate = np.asarray(ask(fitted, rows))
    width = by_draws[1] - by_draws[0]
    likely = estimate > 0.01
    assert likely.sum() > 100
    for end in (0, 1):
        apart = np.abs(by_delta[end] - by_draws[end])[likely]
        assert np.max(apart / width[likely]) < 0.15


def test_value_is_as_uncertain_as_purchases_and_spend_together(
    fitted: ParetoNBDModel, customers: pd.DataFrame
) -> None:
    rows, spend = customers[:100], GammaGammaModel().fit(customers)

    def purchases(model: ParetoNBDModel) -> np.ndarray:
        return np.asarray(model.expected_purchases(rows, future_t=52))

    def worth(model: GammaGammaModel) -> np.ndarray:
        return np.asarray(model.expected_customer_spend(rows))

    value = linearise(fitted, purchases).times(linearise(spend, worth))
    np.testing.assert_allclose(value.estimate, purchases(fitted) * worth(spend))
    many = [
        ParameterDraws.from_covariance(model, n_draws=4_000, seed=seed).evaluate(ask)
        for model, ask, seed in ((fitted, purchases, 1), (spend, worth, 2))
    ]
    drawn = (many[0] * many[1]).std(axis=0)
    likely = value.estimate > 1.0
    np.testing.assert_allclose(value.standard_error[likely], drawn[likely], rtol=0.1)


def test_an_interval_stays_within_what_is_possible(
    fitted: ParetoNBDModel, customers: pd.DataFrame
) -> None:
    alive = linearise(fitted, lambda m: m.expected_probability_alive(customers))
    low, high = alive.interval(level=0.999, kind="probability")
    assert np.all((low >= 0) & (low <= alive.estimate) & (alive.estimate <= high) & (high <= 1))
    nearly_sure = Linearised(np.array([0.99]), np.array([[0.05]]), np.eye(1))
    assert nearly_sure.interval(kind="any")[1][0] > 1.0
    assert 0.99 < nearly_sure.interval(kind="probability")[1][0] < 1.0


def test_what_is_certain_by_construction_has_no_width(customers: pd.DataFrame) -> None:
    """BG/NBD holds everybody without a repeat purchase for alive, whatever its parameters."""
    model = BetaGeoModel(time_unit="week").fit(customers)
    newcomers = customers[customers["frequency"] == 0]
    low, high = linearise(model, lambda m: m.expected_probability_alive(newcomers)).interval(
        kind="probability"
    )
    np.testing.assert_array_equal(low, 1.0)
    np.testing.assert_array_equal(high, 1.0)


def test_known_parameters_have_no_uncertainty_to_report() -> None:
    known = GammaGammaModel.from_params(SPEND, time_unit="week")
    with pytest.raises(InvalidArgumentError, match="has no covariance of its parameters"):
        ParameterDraws.from_covariance(known, seed=1)


@pytest.mark.parametrize("level", [0.0, 1.0, 80.0])
def test_level_is_a_share(fitted: ParetoNBDModel, customers: pd.DataFrame, level: float) -> None:
    draws = ParameterDraws.from_covariance(fitted, n_draws=3, seed=1)
    with pytest.raises(InvalidArgumentError, match="level: must lie between 0 and 1"):
        draws.interval(lambda m: m.expected_probability_alive(customers[:2]), level=level)
