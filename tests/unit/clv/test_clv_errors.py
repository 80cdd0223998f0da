"""What is refused, with which error, and that no message shows a customer's values."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from clvspark.clv import (
    BetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoModel,
    ParetoNBDModel,
    ShiftedBetaGeoModel,
)
from clvspark.clv.models.base import LifetimeModel
from clvspark.clv.models.errors import (
    ConvergenceError,
    DegenerateDataError,
    InfiniteMeanError,
    InfiniteMeanWarning,
    InvalidArgumentError,
    InvalidSummaryError,
    NotFittedError,
    SpendFrequencyCorrelationWarning,
)

TRANSACTION_MODELS = [BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel]
VALID = {"frequency": [2.0, 0.0, 1.0], "recency": [20.0, 0.0, 7.0], "T": [30.0, 25.0, 28.0]}
PARETO = {"r": 0.55, "alpha": 10.6, "s": 0.61, "beta": 11.7}


@pytest.mark.parametrize(
    ("column", "values", "problem"),
    [
        ("frequency", [-2.0, 0.0, 1.0], "summary.frequency: is negative"),
        ("frequency", [2.5, 0.0, 1.0], "summary.frequency: is not whole in 1 of 3 rows"),
        ("recency", [20.0, 0.0, np.nan], "summary.recency: is negative, missing or not finite"),
        ("recency", [31.7, 0.0, 29.0], "summary.recency: exceeds T in 2 of 3 rows"),
        ("recency", [20.0, 3.0, 7.0], "summary.recency: contradicts frequency in 1 of 3 rows"),
        ("recency", [0.0, 0.0, 7.0], "summary.recency: contradicts frequency in 1 of 3 rows"),
        ("T", [30.0, np.inf, 28.0], "summary.T: is negative, missing or not finite in 1 of 3"),
        ("T", ["soon", "25", "28"], "summary.T: holds values that are not numbers"),
        ("weight", [1.0, -1.0, 1.0], "summary.weight: is negative or not finite in 1 of 3"),
    ],
)
@pytest.mark.parametrize("model", TRANSACTION_MODELS)
def test_invalid_rows_are_counted_and_explained(
    model: type[LifetimeModel], column: str, values: list[object], problem: str
) -> None:
    with pytest.raises(InvalidSummaryError, match=problem) as raised:
        model(time_unit="week").fit(pd.DataFrame(VALID | {column: values}))
    assert "31.7" not in str(raised.value)
    assert "soon" not in str(raised.value)


def test_predictions_check_rows_too() -> None:
    model = ParetoNBDModel.from_params(PARETO, time_unit="week")
    with pytest.raises(InvalidSummaryError, match="recency: exceeds T in 1 of 3 rows"):
        model.expected_probability_alive(VALID | {"recency": [30.5, 0.0, 7.0]})


def test_missing_column_is_named() -> None:
    with pytest.raises(InvalidSummaryError, match=r"column\(s\) T missing"):
        BetaGeoModel(time_unit="day").fit(pd.DataFrame(VALID).drop(columns="T"))


def test_columns_of_different_length() -> None:
    with pytest.raises(InvalidSummaryError, match="differ in length"):
        BetaGeoModel(time_unit="day").fit(VALID | {"T": [30.0]})


@pytest.mark.parametrize("model", [*TRANSACTION_MODELS, GammaGammaModel])
def test_no_customers(model: type[LifetimeModel]) -> None:
    empty = pd.DataFrame(columns=["frequency", "recency", "T", "monetary_value"], dtype=float)
    with pytest.raises(DegenerateDataError, match="has no customers"):
        model(time_unit="week").fit(empty)


@pytest.mark.parametrize("model", TRANSACTION_MODELS)
def test_nobody_came_back(model: type[LifetimeModel]) -> None:
    with pytest.raises(DegenerateDataError, match="frequency: 0 for every customer"):
        model(time_unit="week").fit({"frequency": [0, 0], "recency": [0, 0], "T": [9.0, 8.0]})


def test_a_holdout_in_which_nobody_came_back_has_a_likelihood() -> None:
    """Nothing is estimated of it: P(no purchase in (0, T]) = (alpha / (alpha + T))^r, in BG/NBD."""
    model = BetaGeoModel.from_params(
        {"r": 0.25, "alpha": 4.0, "a": 0.8, "b": 2.4}, time_unit="week"
    )
    rows = {"frequency": [0, 0], "recency": [0, 0], "T": [5.0, 9.0]}
    expected = 0.25 * (math.log(4 / 9) + math.log(4 / 13))
    assert model.log_likelihood(rows) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("model", TRANSACTION_MODELS)
def test_identical_customers_do_not_identify_a_distribution(model: type[LifetimeModel]) -> None:
    alike = {"frequency": [3] * 50, "recency": [20.0] * 50, "T": [30.0] * 50}
    with pytest.raises(ConvergenceError, match=r"parameter|likelihood"):
        model(time_unit="week").fit(alike)


def test_customers_who_never_leave_are_reported_as_such() -> None:
    """Purchases right up to T, of everybody: dropout runs off to zero."""
    rng = np.random.default_rng(2)
    frequency = rng.negative_binomial(3, 0.05, 400) + 1
    loyal = {"frequency": frequency, "recency": np.full(400, 51.9), "T": np.full(400, 52.0)}
    with pytest.raises(ConvergenceError, match=r"runs off to|not identified|flat"):
        BetaGeoModel(time_unit="week").fit(loyal)


def test_predicting_before_fitting() -> None:
    with pytest.raises(NotFittedError, match=r"call fit\(summary\)"):
        BetaGeoModel(time_unit="week").expected_probability_alive(VALID)
    with pytest.raises(NotFittedError):
        GammaGammaModel().to_dict()


@pytest.mark.parametrize("unit", ["weeks", "", "W", "hour"])
def test_time_unit_is_one_of_four(unit: str) -> None:
    with pytest.raises(InvalidArgumentError, match="allowed: day, week, month, year"):
        ParetoNBDModel(time_unit=unit)


def test_time_unit_is_mandatory() -> None:
    with pytest.raises(TypeError, match="time_unit"):
        ParetoNBDModel()  # type: ignore[call-arg]


@pytest.mark.parametrize("future_t", [-1.0, np.nan, np.inf])
def test_future_must_be_a_finite_duration(future_t: float) -> None:
    model = ParetoNBDModel.from_params(PARETO, time_unit="week")
    with pytest.raises(InvalidArgumentError, match="future_t: must be a finite number >= 0"):
        model.expected_purchases(VALID, future_t=future_t)
    with pytest.raises(InvalidArgumentError, match="t: must be finite"):
        model.expected_purchases_new_customer(t=future_t)


def test_discount_rate_and_counts_are_checked() -> None:
    model = ParetoNBDModel.from_params(PARETO, time_unit="week")
    for rate, message in ((-0.1, "must be a finite number >= 0"), (0.0, "must be > 0 for an")):
        with pytest.raises(InvalidArgumentError, match=message):
            model.discounted_expected_residual_transactions(VALID, annual_discount_rate=rate)
    with pytest.raises(InvalidArgumentError, match="n: must be whole numbers"):
        model.probability_of_n_purchases(n=[1.5], t=3)


def test_exactly_one_discount_rate_is_given() -> None:
    model = ParetoNBDModel.from_params(PARETO, time_unit="week")
    subscribers = ShiftedBetaGeoModel.from_params({"alpha": 0.7, "beta": 3.8}, time_unit="year")
    both = {"annual_discount_rate": 0.1, "discount_rate_per_unit": 0.01}
    for rates in ({}, both):
        with pytest.raises(InvalidArgumentError, match="give exactly one of them"):
            model.discounted_expected_residual_transactions(VALID, **rates)
        with pytest.raises(InvalidArgumentError, match="give exactly one of them"):
            subscribers.expected_residual_lifetime({"recency": [1], "T": [1]}, **rates)
    with pytest.raises(InvalidArgumentError, match="discount_rate_per_unit: must be a finite"):
        model.discounted_expected_residual_transactions(VALID, discount_rate_per_unit=-0.01)
    with pytest.raises(InvalidArgumentError, match="must be > 0 for an unlimited future"):
        model.discounted_expected_residual_transactions(VALID, discount_rate_per_unit=0.0)


@pytest.mark.parametrize("rate", ["15%", "0.15", -0.1, np.nan, np.inf, [0.1, 0.2]])
def test_a_discount_rate_is_a_finite_number_from_zero(rate: object) -> None:
    model = ParetoNBDModel.from_params(PARETO, time_unit="week")
    for name in ("annual_discount_rate", "discount_rate_per_unit"):
        with pytest.raises(InvalidArgumentError, match=f"{name}: must be a finite number >= 0"):
            model.discounted_expected_residual_transactions(VALID, horizon=52.0, **{name: rate})


def test_without_discount_purchases_of_a_finite_horizon_are_those_expected() -> None:
    model = ParetoNBDModel.from_params(PARETO, time_unit="week")
    plain = model.expected_purchases(VALID, future_t=52.0)
    for name in ("annual_discount_rate", "discount_rate_per_unit"):
        found = model.discounted_expected_residual_transactions(VALID, horizon=52.0, **{name: 0})
        assert found == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize(
    "params", [{"r": 1.0}, PARETO | {"s": -1.0}, PARETO | {"s": np.nan}, PARETO | {"a": 1.0}]
)
def test_known_parameters_are_complete_and_positive(params: dict[str, float]) -> None:
    with pytest.raises(InvalidArgumentError, match="exactly r, alpha, s, beta"):
        ParetoNBDModel.from_params(params, time_unit="week")


def test_published_names_of_parameters_are_understood() -> None:
    """Fader and Hardie (2013) call the third parameter of Gamma-Gamma gamma."""
    published = GammaGammaModel.from_params({"p": 6.25, "q": 3.74, "gamma": 15.44}, time_unit="day")
    ours = GammaGammaModel.from_params({"p": 6.25, "q": 3.74, "v": 15.44}, time_unit="day")
    assert published.to_dict() == ours.to_dict()
    assert published.params_ == {"p": 6.25, "q": 3.74, "v": 15.44}
    for wrong in ({"gamma": 15.44, "v": 15.44}, {"gamma": -1.0}, {"g": 1.0}):
        with pytest.raises(
            InvalidArgumentError, match=r"exactly p, q, v, .*; v may be called gamma"
        ):
            GammaGammaModel.from_params({"p": 6.25, "q": 3.74} | wrong, time_unit="day")


@pytest.mark.parametrize("spend", [0.0, -5.0, np.nan])
def test_spend_of_repeat_customers_is_positive(spend: float) -> None:
    rows = {"frequency": [1, 2, 0], "monetary_value": [spend, 20.0, 0.0]}
    with pytest.raises(InvalidSummaryError, match="monetary_value: is not a positive amount"):
        GammaGammaModel().fit(rows)


@pytest.mark.parametrize(
    "rows",
    [
        {"frequency": [0, 0], "monetary_value": [0.0, 0.0]},
        {"frequency": [2, 4], "monetary_value": [20.0, 20.0]},
    ],
)
def test_spend_that_does_not_vary(rows: dict[str, list[float]]) -> None:
    with pytest.raises(DegenerateDataError, match="spend must vary between customers"):
        GammaGammaModel().fit(rows)


def test_strong_correlation_of_spend_and_frequency_is_reported() -> None:
    rng = np.random.default_rng(8)
    frequency = rng.integers(1, 20, 2000)
    spend = (10 + 3 * frequency) * rng.gamma(5, 0.2, 2000)
    with pytest.warns(SpendFrequencyCorrelationWarning, match=r"correlate by \+0\."):
        model = GammaGammaModel().fit({"frequency": frequency, "monetary_value": spend})
    expected = np.corrcoef(frequency, spend)[0, 1]
    assert model.spend_frequency_correlation_ == pytest.approx(expected)


def test_infinite_mean_spend_is_reported_and_never_predicted() -> None:
    rng = np.random.default_rng(4)
    frequency = rng.integers(1, 8, 4000)
    nu = rng.gamma(0.7, 1 / 15.0, 4000)
    spend = rng.gamma(6.0 * frequency, 1 / (nu * frequency))
    with pytest.warns(InfiniteMeanWarning, match="q <= 1"):
        model = GammaGammaModel().fit({"frequency": frequency, "monetary_value": spend})
    with pytest.raises(InfiniteMeanError, match="correct or leave out"):
        model.require_known_mean()
    assert np.isfinite(model.expected_customer_spend({"frequency": [3], "monetary_value": [9.0]}))
    with pytest.raises(InfiniteMeanError, match="infinite for 1 of 2 customers"):
        model.expected_customer_spend({"frequency": [0, 3], "monetary_value": [0.0, 9.0]})


def simulate_spend(q: float, *, seed: int, customers: int = 2000) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    frequency = rng.integers(1, 8, customers)
    nu = rng.gamma(q, 1 / 15.0, customers)
    return {
        "frequency": frequency,
        "monetary_value": rng.gamma(6.0 * frequency, 1 / (nu * frequency)),
    }


@pytest.mark.parametrize("seed", range(4))
def test_mean_spend_is_unknown_where_the_interval_of_q_reaches_one(seed: int) -> None:
    """The estimate of q may be on either side of 1, and the mean anything from 500 to infinity."""
    with pytest.warns(InfiniteMeanWarning, match="q <= 1 is not ruled out"):
        model = GammaGammaModel().fit(simulate_spend(1.0, seed=seed))
    for one in (model, GammaGammaModel.from_dict(model.to_dict())):
        with pytest.raises(InfiniteMeanError, match="not known"):
            one.require_known_mean()


@pytest.mark.parametrize("q", [1.3, 3.0, 60.0])
def test_mean_spend_is_known_where_q_is_clearly_above_one(q: float) -> None:
    GammaGammaModel().fit(simulate_spend(q, seed=1)).require_known_mean()


def test_given_parameters_are_taken_for_exact() -> None:
    near = GammaGammaModel.from_params({"p": 3.0, "q": 1.0 + 1e-9, "v": 10.0}, time_unit="day")
    near.require_known_mean()
    assert np.isfinite(near.log_likelihood({"frequency": [1, 300], "monetary_value": [20.0, 30.0]}))
    at = GammaGammaModel.from_params({"p": 3.0, "q": 1.0, "v": 10.0}, time_unit="day")
    with pytest.raises(InfiniteMeanError):
        at.require_known_mean()


def test_models_import_without_spark() -> None:
    script = "import sys, clvspark.clv.models; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
