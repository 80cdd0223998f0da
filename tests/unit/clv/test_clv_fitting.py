"""What a fit depends on (the customers) and what it does not (order, grouping, units)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.customers import PARETO, simulate_customers

from clvspark.clv import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel, ParetoNBDModel
from clvspark.clv.models import base, in_blocks
from clvspark.clv.models.base import LifetimeModel
from clvspark.clv.models.summary import condense, read_columns

TRANSACTION_MODELS = [BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel]
MODELS = [*TRANSACTION_MODELS, GammaGammaModel]


def new(model: type[LifetimeModel]) -> LifetimeModel:
    return model(time_unit="week")


@pytest.mark.parametrize("model", MODELS)
def test_gradient_agrees_with_finite_differences(
    model: type[LifetimeModel], cdnow: pd.DataFrame
) -> None:
    fitted = new(model)
    groups = fitted._read_groups(cdnow[cdnow["frequency"] > 0], 10_000)
    theta = np.array([0.7, 9.0, 1.3, 2.1])[: len(fitted.parameter_names)]
    _, gradient = fitted._log_likelihood_and_gradient(theta, groups)
    for i, row in enumerate(gradient):
        step = np.eye(len(theta))[i] * 1e-5
        ahead, _ = fitted._log_likelihood_and_gradient(theta + step, groups)
        behind, _ = fitted._log_likelihood_and_gradient(theta - step, groups)
        np.testing.assert_allclose(row, (ahead - behind) / 2e-5, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_weighted_rows_fit_like_the_customers_they_stand_for(
    model: type[LifetimeModel], cdnow: pd.DataFrame
) -> None:
    columns = list(model.fit_columns)
    weighted = cdnow.groupby(columns, as_index=False).size().rename(columns={"size": "weight"})
    assert len(weighted) < len(cdnow)
    one_by_one, grouped = new(model).fit(cdnow), new(model).fit(weighted)
    assert grouped.params_ == one_by_one.params_
    assert grouped.log_likelihood_ == one_by_one.log_likelihood_
    assert grouped.n_customers_ == one_by_one.n_customers_


@pytest.mark.parametrize("model", MODELS)
def test_order_of_rows_does_not_change_a_digit(
    model: type[LifetimeModel], cdnow: pd.DataFrame
) -> None:
    shuffled = cdnow.sample(frac=1.0, random_state=5)
    assert new(model).fit(shuffled).to_dict() == new(model).fit(cdnow).to_dict()


def test_rows_of_weight_zero_do_not_count(cdnow: pd.DataFrame) -> None:
    half = cdnow.assign(weight=(np.arange(len(cdnow)) % 2).astype(float))
    fitted = BetaGeoModel(time_unit="week").fit(half)
    assert fitted.params_ == BetaGeoModel(time_unit="week").fit(cdnow.iloc[1::2]).params_


@pytest.mark.parametrize("model", TRANSACTION_MODELS)
def test_days_and_weeks_tell_the_same_story(
    model: type[LifetimeModel], cdnow: pd.DataFrame
) -> None:
    weekly = model(time_unit="week").fit(cdnow)
    in_days = cdnow.assign(recency=cdnow["recency"] * 7, T=cdnow["T"] * 7)
    daily = model(time_unit="day").fit(in_days)
    scale = {"alpha": 7.0, "beta": 7.0}
    expected = {name: value * scale.get(name, 1.0) for name, value in weekly.params_.items()}
    assert daily.params_ == pytest.approx(expected, rel=1e-5)
    dert = weekly.discounted_expected_residual_transactions(cdnow, annual_discount_rate=0.1)
    np.testing.assert_allclose(
        daily.discounted_expected_residual_transactions(in_days, annual_discount_rate=0.1),
        dert,
        rtol=1e-5,
    )


def test_doubling_the_customers_halves_the_variance(cdnow: pd.DataFrame) -> None:
    once = ParetoNBDModel(time_unit="week").fit(cdnow)
    twice = ParetoNBDModel(time_unit="week").fit(cdnow.assign(weight=2))
    expected = {name: error / 2**0.5 for name, error in once.standard_errors_.items()}
    assert twice.standard_errors_ == pytest.approx(expected, rel=1e-5)
    assert twice.log_likelihood_ == pytest.approx(2 * once.log_likelihood_)


def test_many_groups_are_screened_first_and_end_at_the_same_maximum(
    cdnow: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = ParetoNBDModel(time_unit="week").fit(cdnow)
    monkeypatch.setattr("clvspark.clv.models.base.SCREENING_GROUPS", 100)
    screened = ParetoNBDModel(time_unit="week").fit(cdnow)
    assert screened.params_ == pytest.approx(direct.params_, rel=1e-6)


def test_simulated_truth_lies_within_the_standard_errors() -> None:
    rng = np.random.default_rng(20260101)
    n, truth = 15_000, {"r": 0.8, "alpha": 6.0, "s": 0.7, "beta": 12.0}
    age = rng.uniform(20.0, 80.0, n)
    rate, death = rng.gamma(0.8, 1 / 6.0, n), rng.gamma(0.7, 1 / 12.0, n)
    active = np.minimum(rng.exponential(1.0 / death), age)
    frequency = rng.poisson(rate * active)
    latest = active * rng.random(n) ** (1.0 / np.maximum(frequency, 1))
    recency = np.where(frequency > 0, latest, 0.0)
    fitted = ParetoNBDModel(time_unit="week").fit(
        {"frequency": frequency, "recency": recency, "T": age}
    )
    for name, value in truth.items():
        assert abs(fitted.params_[name] - value) < 3.5 * fitted.standard_errors_[name]


def test_log_likelihood_of_the_training_data(
    cdnow: pd.DataFrame, pareto_nbd: ParetoNBDModel
) -> None:
    assert pareto_nbd.log_likelihood(cdnow) == pytest.approx(pareto_nbd.log_likelihood_)


def test_condense_adds_weights_of_equal_rows() -> None:
    columns = read_columns({"frequency": [2, 1, 2], "T": [5.0, 9.0, 5.0]}, ["frequency", "T"])
    groups = condense(columns, np.array([1.0, 4.0, 2.5]))
    assert groups["frequency"].tolist() == [1.0, 2.0]
    assert groups["T"].tolist() == [9.0, 5.0]
    assert groups.weight.tolist() == [4.0, 3.5]


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    """More distinct histories than a sample, or a block of rows, has."""
    return simulate_customers("ParetoNBDModel", PARETO, n=12_000, seed=3)


@pytest.mark.parametrize("model", TRANSACTION_MODELS)
def test_a_climb_from_the_maximum_of_a_sample_ends_where_one_from_every_start_does(
    model: type[LifetimeModel], many: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled = new(model).fit(many)
    monkeypatch.setattr(base, "SCREENING_GROUPS", len(many))
    whole = new(model).fit(many)

    assert sampled.n_iterations_ != whole.n_iterations_, "another way"
    assert sampled.log_likelihood_ == pytest.approx(whole.log_likelihood_, abs=1e-6)
    assert sampled.params_ == pytest.approx(whole.params_, rel=1e-5)


def test_a_likelihood_is_the_same_in_blocks_and_as_a_whole(
    many: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = new(ParetoNBDModel)
    groups = model._read_groups(many, len(many))
    point = np.log(list(PARETO.values()))
    value, gradient = model._objective(groups)(point)
    monkeypatch.setattr(in_blocks, "BLOCK_ROWS", len(many))
    whole, slope = model._objective(groups)(point)

    assert value == pytest.approx(whole, rel=1e-13)
    assert gradient == pytest.approx(slope, rel=1e-10)
