"""Customers who differ by covariates: what each will do, and how far that is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.buyers import customers_who_drop_out
from support.customers import BETA_GEO, PARETO, SPEND

from clvspark.clv import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel, ParetoNBDModel
from clvspark.clv.models.covariate_model import CovariateModel
from clvspark.clv.models.errors import InvalidSummaryError
from clvspark.clv.uncertainty import OutcomeModel, ParameterDraws, ValueUncertainty

BOTH = {"purchase_covariates": ("web", "age"), "dropout_covariates": ("web",)}
HISTORIES = pd.DataFrame(
    {
        "frequency": [2.0, 2.0, 0.0, 5.0],
        "recency": [20.0, 20.0, 0.0, 40.0],
        "T": [30.0, 30.0, 25.0, 41.0],
        "monetary_value": [20.0, 20.0, 0.0, 35.0],
        "web": [1.0, 0.0, 1.0, 0.0],
        "age": [0.3, -1.2, 0.0, 0.8],
    }
)


@pytest.mark.parametrize("kind", [BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel])
def test_outcomes_are_those_of_the_parameters_of_each_customer(kind: type[CovariateModel]) -> None:
    """Predicted together, and one by one by a model without covariates."""
    known = PARETO if kind is ParetoNBDModel else BETA_GEO
    names = kind(time_unit="week", **BOTH)._names()
    coefficients = {name: 0.1 * i for i, name in enumerate(names) if name not in known}
    model = kind.from_params({**known, **coefficients}, time_unit="week", **BOTH)
    spend = GammaGammaModel.from_params(SPEND, time_unit="week")
    horizon = {"horizon": 52.0, "annual_discount_rate": 0.1}
    together = OutcomeModel(model, spend, **horizon).predict(HISTORIES)
    own = model.customer_parameters(HISTORIES)
    for row in range(len(HISTORIES)):
        plain = kind.from_params(own.iloc[row].to_dict(), time_unit="week")
        one = OutcomeModel(plain, spend, **horizon).predict(HISTORIES[row : row + 1])
        for level in (0.5, 0.9):
            assert together.value(level)[row] == pytest.approx(one.value(level)[0], rel=1e-9)
            assert together.purchases(level)[row] == one.purchases(level)[0]
    assert together.value(0.9)[0] > together.value(0.9)[1], "alike but for their covariates"


def test_histories_without_the_covariates_are_refused() -> None:
    model = BetaGeoModel.from_params(
        {**BETA_GEO, "purchase_coefficient_alpha_web": 0.5},
        time_unit="week",
        purchase_covariates=["web"],
    )
    spend = GammaGammaModel.from_params(SPEND, time_unit="week")
    with pytest.raises(InvalidSummaryError, match="web missing"):
        OutcomeModel(model, spend, horizon=52.0).predict(HISTORIES.drop(columns="web"))


def test_intervals_of_expectations_are_those_of_draws_of_the_coefficients() -> None:
    truth = {**BETA_GEO, "purchase_coefficient_alpha_web": 0.6}
    customers = customers_who_drop_out(truth, n=3_000, seed=3)
    spend = np.random.default_rng(1).gamma(5.0, 4.0, len(customers))
    customers["monetary_value"] = np.where(customers["frequency"] > 0, spend, 0.0)
    model = BetaGeoModel(time_unit="week", purchase_covariates=["web"]).fit(customers)
    known = ValueUncertainty(
        model,
        GammaGammaModel().fit(customers),
        horizon=52.0,
        annual_discount_rate=0.1,
        sample=customers,
    )
    found = known.describe(customers)
    low, high = found["expected_purchases_low"], found["expected_purchases_high"]
    expected = model.expected_purchases(customers, future_t=52.0)
    assert ((low <= expected) & (expected <= high)).all()
    assert found["p_top_outcome"].mean() == pytest.approx(0.1, abs=1e-6)
    draws = ParameterDraws.from_covariance(model, n_draws=200, seed=2)
    drawn = draws.interval(lambda drawn: drawn.expected_purchases(customers, future_t=52.0))
    assert ((high - low) / (drawn[1] - drawn[0])).median() == pytest.approx(1.0, abs=0.15)
    assert set(draws.parameter_intervals()) == set(model.params_)
