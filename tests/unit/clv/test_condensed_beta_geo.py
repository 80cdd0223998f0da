"""BG/CNBD-k: equal to BG/NBD at k = 1, and right about simulated regular customers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from clvspark.clv import BetaGeoModel, CondensedBetaGeoModel, ModifiedBetaGeoModel
from clvspark.clv.models.errors import InvalidArgumentError, InvalidSummaryError
from clvspark.clv.models.regular_future import discounted_future, discounted_future_within

PARAMS = {"r": 0.9, "alpha": 3.0, "a": 0.8, "b": 3.0}
HORIZON = 40.0


def simulate(n: int, k: int, *, dropout_at_first_purchase: bool, seed: int) -> pd.DataFrame:
    """Customers with Erlang-k rhythm: their summary, and their purchases in the future."""
    rng = np.random.default_rng(seed)
    age, rate = rng.uniform(30, 100, n), rng.gamma(0.9, 1 / 3.0, n)
    dropout = rng.beta(0.8, 3.0, n)
    active = rng.random(n) > dropout * dropout_at_first_purchase
    frequency, recency, log_intervals, future, clock = np.zeros((5, n))
    alive = np.zeros(n, dtype=bool)
    while active.any():
        gap = rng.gamma(k, 1 / rate)
        clock = clock + gap
        seen, later = active & (clock <= age), active & (clock > age) & (clock <= age + HORIZON)
        frequency[seen] += 1
        recency[seen] = clock[seen]
        log_intervals[seen] += np.log(gap[seen])
        future[later] += 1
        alive |= active & (clock > age)
        active = (seen | later) & (rng.random(n) > dropout)
    return pd.DataFrame(
        {
            "frequency": frequency,
            "recency": recency,
            "T": age,
            "log_intervals": log_intervals,
            "future": future,
            "alive": alive,
        }
    )


@pytest.fixture(scope="module")
def regular() -> pd.DataFrame:
    return simulate(6_000, 3, dropout_at_first_purchase=True, seed=5)


@pytest.fixture(scope="module")
def fitted(regular: pd.DataFrame) -> CondensedBetaGeoModel:
    return CondensedBetaGeoModel(time_unit="week", dropout_at_first_purchase=True).fit(regular)


def test_regularity_and_parameters_are_recovered(fitted: CondensedBetaGeoModel) -> None:
    assert fitted.regularity_ == 3
    for name, truth in PARAMS.items():
        assert abs(fitted.params_[name] - truth) < 3.5 * fitted.standard_errors_[name]


def test_forecast_meets_the_simulated_future(
    fitted: CondensedBetaGeoModel, regular: pd.DataFrame
) -> None:
    forecast = fitted.expected_purchases(regular, future_t=HORIZON)
    for part in (regular["frequency"] < 2, regular["frequency"] >= 2):
        assert forecast[part].sum() == pytest.approx(regular["future"][part].sum(), rel=0.06)
    irregular = ModifiedBetaGeoModel(time_unit="week").fit(regular)
    plain = irregular.expected_purchases(regular, future_t=HORIZON)
    error, plain_error = ((f - regular["future"]).abs().mean() for f in (forecast, plain))
    assert error < 0.95 * plain_error


def test_probability_alive_is_calibrated_on_simulated_lives() -> None:
    customers = simulate(20_000, 2, dropout_at_first_purchase=False, seed=9)
    model = CondensedBetaGeoModel.from_params(PARAMS, time_unit="week", regularity=2)
    p_alive = model.expected_probability_alive(customers)
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.999)):
        group = p_alive.between(low, high)
        expected, n = p_alive[group].mean(), int(group.sum())
        error = (expected * (1 - expected) / n) ** 0.5
        assert n > 500
        assert abs(customers["alive"][group].mean() - expected) < 3.5 * error


@pytest.mark.parametrize("modified", [False, True])
def test_regularity_one_is_beta_geo(cdnow: pd.DataFrame, modified: bool) -> None:
    kind = ModifiedBetaGeoModel if modified else BetaGeoModel
    plain = kind(time_unit="week").fit(cdnow)
    model = CondensedBetaGeoModel(
        time_unit="week", regularity=1, dropout_at_first_purchase=modified
    ).fit(cdnow)
    assert model.params_ == pytest.approx(plain.params_, rel=1e-6)
    assert model.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=1e-6)
    same = CondensedBetaGeoModel.from_params(
        plain.params_, time_unit="week", regularity=1, dropout_at_first_purchase=modified
    )
    sample = cdnow.iloc[::10]
    for ask in (
        lambda m: m.expected_probability_alive(sample),
        lambda m: m.expected_purchases(sample, future_t=39),
        lambda m: m.discounted_expected_residual_transactions(sample, annual_discount_rate=0.1),
        lambda m: m.discounted_expected_residual_transactions(
            sample, annual_discount_rate=0.1, horizon=52
        ),
        lambda m: m.expected_purchases_new_customer(t=[1.0, 52.0, 520.0]),
        lambda m: m.probability_of_n_purchases(n=range(30), t=39),
    ):
        np.testing.assert_allclose(ask(same), ask(plain), rtol=1e-9)


@pytest.mark.parametrize("modified", [False, True])
def test_gradient_agrees_with_finite_differences(
    regular: pd.DataFrame,
    modified: bool,
) -> None:
    model = CondensedBetaGeoModel(
        time_unit="week", regularity=3, dropout_at_first_purchase=modified
    )
    groups = model._read_groups(regular, 10_000)
    theta = np.array([0.7, 4.0, 1.3, 2.1])
    _, gradient = model._log_likelihood_and_gradient(theta, groups)
    for i, row in enumerate(gradient):
        step = np.eye(4)[i] * 1e-5
        ahead, _ = model._log_likelihood_and_gradient(theta + step, groups)
        behind, _ = model._log_likelihood_and_gradient(theta - step, groups)
        np.testing.assert_allclose(row, (ahead - behind) / 2e-5, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("modified", [False, True])
@pytest.mark.parametrize("k", [2, 4])
def test_count_distribution_and_forecast_agree(k: int, modified: bool) -> None:
    model = CondensedBetaGeoModel.from_params(
        PARAMS, time_unit="week", regularity=k, dropout_at_first_purchase=modified
    )
    n = np.arange(400)
    pmf = model.probability_of_n_purchases(n=n, t=60)
    assert pmf.sum() == pytest.approx(1.0, abs=1e-10)
    assert pmf @ n == pytest.approx(model.expected_purchases_new_customer(t=60), rel=1e-9)


@pytest.mark.parametrize(("k", "j"), [(2, 0), (2, 1), (3, 2)])
def test_two_ways_to_discount_agree(k: int, j: int) -> None:
    shape, c, b = (
        np.array([0.9, 3.9, 60.0]),
        np.array([3.0, 60.0, 90.0]),
        np.array([3.0, 4.0, 23.0]),
    )
    whole = discounted_future(k, j, shape + j, c, 0.8, b, 0.1)
    parts = discounted_future_within(k, j, shape + j, c, 0.8, b, delta=0.1, horizon=1e6)
    np.testing.assert_allclose(whole, parts, rtol=1e-7)


def test_log_likelihood_of_the_training_data(
    fitted: CondensedBetaGeoModel, regular: pd.DataFrame
) -> None:
    assert fitted.log_likelihood(regular) == pytest.approx(fitted.log_likelihood_)


def test_round_trip_keeps_the_regularity(
    fitted: CondensedBetaGeoModel, regular: pd.DataFrame
) -> None:
    restored = CondensedBetaGeoModel.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert restored.to_dict() == fitted.to_dict()
    sample = regular.iloc[:50]
    pd.testing.assert_series_equal(
        restored.expected_purchases(sample, future_t=10),
        fitted.expected_purchases(sample, future_t=10),
    )


def test_choosing_the_regularity_needs_the_intervals(regular: pd.DataFrame) -> None:
    model = CondensedBetaGeoModel(time_unit="week")
    with pytest.raises(InvalidSummaryError, match="log_intervals missing"):
        model.fit(regular.drop(columns="log_intervals"))
    with pytest.raises(InvalidSummaryError, match="log_intervals: is missing or not finite"):
        model.fit(regular.assign(log_intervals=np.nan))


@pytest.mark.parametrize("k", [0, 13, -1])
def test_regularity_is_a_small_whole_number(k: int) -> None:
    with pytest.raises(InvalidArgumentError, match="regularity: must be a whole number"):
        CondensedBetaGeoModel(time_unit="week", regularity=k)
