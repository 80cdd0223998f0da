"""Amounts of either sign: fitted, shrunk to the population, kept in a document."""

from __future__ import annotations

import json

import numpy as np
import pytest

from clvspark.clv import NormalNormalModel
from clvspark.clv.models.errors import (
    DegenerateDataError,
    InvalidArgumentError,
    InvalidSummaryError,
)

PARAMS = {"mu": -2.0, "tau": 3.0, "sigma": 6.0}


def simulate(n: int, seed: int, unit: float = 1.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    frequency = rng.integers(0, 9, n)
    mean = rng.normal(PARAMS["mu"], PARAMS["tau"], n)
    spread = PARAMS["sigma"] / np.sqrt(np.maximum(frequency, 1))
    return {"frequency": frequency, "monetary_value": unit * rng.normal(mean, spread)}


def test_expected_margin_is_the_precision_weighted_mean() -> None:
    """Of 4 purchases at 10: precisions 4/36 and 1/9 are equal, so half way from -2 to 10."""
    model = NormalNormalModel.from_params(PARAMS, time_unit="week")
    rows = {"frequency": [4, 0, 1], "monetary_value": [10.0, 99.0, -8.0]}
    expected = [4.0, -2.0, -2.0 + (-8.0 + 2.0) * 9 / (9 + 36)]
    np.testing.assert_allclose(model.expected_customer_spend(rows), expected, rtol=1e-14)
    assert model.expected_new_customer_spend() == -2.0


def test_simulated_truth_lies_within_the_standard_errors() -> None:
    fitted = NormalNormalModel().fit(simulate(20_000, seed=3))
    for name, value in PARAMS.items():
        assert abs(fitted.params_[name] - value) < 3.5 * fitted.standard_errors_[name]
        assert fitted.standard_errors_[name] < 0.2


def test_cents_and_euros_tell_the_same_story() -> None:
    euros, cents = (NormalNormalModel().fit(simulate(3_000, 4, unit)) for unit in (1.0, 100.0))
    for name, value in euros.params_.items():
        assert cents.params_[name] == pytest.approx(100 * value, rel=1e-6)
        error = euros.standard_errors_[name]
        assert cents.standard_errors_[name] == pytest.approx(100 * error, rel=1e-5)
    assert np.sqrt(cents.log_covariance_[0, 0]) == pytest.approx(cents.standard_errors_["mu"])
    shift = euros.n_customers_ * np.log(100)
    assert cents.log_likelihood_ == pytest.approx(euros.log_likelihood_ - shift, rel=1e-9)
    assert cents.log_likelihood(simulate(3_000, 4, 100.0)) == pytest.approx(cents.log_likelihood_)


def test_gradient_agrees_with_finite_differences() -> None:
    model = NormalNormalModel()
    groups = model._read_groups(simulate(60, 5), 1_000)
    repeaters = groups.where(groups["frequency"] > 0)
    theta = np.array([0.4, 2.0, 5.0])
    _, gradient = model._log_likelihood_and_gradient(theta, repeaters)
    for row, step in zip(gradient, np.eye(3) * 1e-5, strict=True):
        ahead, _ = model._log_likelihood_and_gradient(theta + step, repeaters)
        behind, _ = model._log_likelihood_and_gradient(theta - step, repeaters)
        np.testing.assert_allclose(row, (ahead - behind) / 2e-5, rtol=1e-5, atol=1e-7)


def test_order_and_grouping_of_rows_do_not_change_a_digit() -> None:
    rows = simulate(500, 6)
    back = {name: values[::-1] for name, values in rows.items()}
    halves = {name: np.tile(values, 2) for name, values in rows.items()} | {
        "weight": np.full(1000, 0.5)
    }
    document = NormalNormalModel().fit(rows).to_dict()
    assert NormalNormalModel().fit(back).to_dict() == document
    assert NormalNormalModel().fit(halves).params_ == document["params"]


def test_json_round_trip_keeps_the_sign() -> None:
    model = NormalNormalModel().fit(simulate(2_000, 7))
    restored = NormalNormalModel.from_dict(json.loads(json.dumps(model.to_dict())))
    assert restored.params_["mu"] < 0
    assert restored.to_dict() == model.to_dict()
    assert restored.unconstrained()[0] == model.params_["mu"]


def test_only_the_mean_may_be_negative() -> None:
    with pytest.raises(InvalidArgumentError, match="mu: of either sign"):
        NormalNormalModel.from_params(PARAMS | {"tau": -1.0}, time_unit="day")


def test_amounts_must_be_numbers_and_vary() -> None:
    with pytest.raises(InvalidSummaryError, match="monetary_value: is not a number"):
        NormalNormalModel().fit({"frequency": [1, 2], "monetary_value": [np.nan, 1.0]})
    for rows in (
        {"frequency": [2, 2, 2, 2], "monetary_value": [1.0, -2.0, 3.0, 4.0]},
        {"frequency": [1, 2, 3, 4], "monetary_value": [5.0, 5.0, 5.0, 5.0]},
        {"frequency": [0, 0, 0, 0], "monetary_value": [0.0, 0.0, 0.0, 0.0]},
    ):
        with pytest.raises(DegenerateDataError, match="both must vary"):
            NormalNormalModel().fit(rows)
