"""A model survives JSON, and nothing that is not such a document is read."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from clvspark.clv import BetaGeoModel, GammaGammaModel, ParetoNBDModel, TimeUnit
from clvspark.clv.models.errors import InvalidModelDocumentError
from clvspark.clv.models.units import continuous_discount_rate

NAMES = ["beta_geo", "modified_beta_geo", "pareto_nbd", "gamma_gamma"]


@pytest.mark.parametrize("name", NAMES)
def test_json_round_trip(name: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(name)
    text = json.dumps(model.to_dict(), allow_nan=False)
    restored = type(model).from_dict(json.loads(text))
    assert restored.to_dict() == model.to_dict()
    assert restored.time_unit is model.time_unit


def test_a_restored_model_scores_the_same(cdnow: pd.DataFrame, pareto_nbd: ParetoNBDModel) -> None:
    restored = ParetoNBDModel.from_dict(json.loads(json.dumps(pareto_nbd.to_dict())))
    for ask in (
        lambda m: m.expected_probability_alive(cdnow),
        lambda m: m.expected_purchases(cdnow, future_t=52),
        lambda m: m.discounted_expected_residual_transactions(cdnow, annual_discount_rate=0.1),
    ):
        pd.testing.assert_series_equal(ask(restored), ask(pareto_nbd), check_exact=True)


def test_document_says_what_it_describes(gamma_gamma: GammaGammaModel) -> None:
    document = gamma_gamma.to_dict()
    assert document["model"] == "GammaGammaModel"
    assert document["n_customers"] == 946
    assert document["spend_frequency_correlation"] == pytest.approx(0.1139, abs=5e-5)


def test_a_model_of_known_parameters_is_a_document_too() -> None:
    params = {"r": 0.5, "alpha": 4.0, "a": 0.8, "b": 2.0}
    document = BetaGeoModel.from_params(params, time_unit=TimeUnit.MONTH).to_dict()
    json.dumps(document, allow_nan=False)
    restored = BetaGeoModel.from_dict(document)
    assert restored.params_ == params
    assert restored.time_unit is TimeUnit.MONTH


@pytest.mark.parametrize(
    "change",
    [
        {"model": "ParetoNBDModel"},
        {"version": 99},
        {"params": {"r": 1.0}},
        {"params": {"r": 1.0, "alpha": -1.0, "a": 1.0, "b": 1.0}},
        {"params": {"r": "x", "alpha": 1.0, "a": 1.0, "b": 1.0}},
        {"params": None},
        {"time_unit": "fortnight"},
        {"log_covariance": [["?"]]},
    ],
)
def test_other_documents_are_refused(beta_geo: BetaGeoModel, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidModelDocumentError, match="document:"):
        BetaGeoModel.from_dict(beta_geo.to_dict() | change)


def test_a_document_without_a_field_is_refused(beta_geo: BetaGeoModel) -> None:
    document = beta_geo.to_dict()
    del document["n_triples"]
    with pytest.raises(InvalidModelDocumentError, match="n_triples"):
        BetaGeoModel.from_dict(document)


@pytest.mark.parametrize(
    ("unit", "expected"), [("day", 0.000382647), ("week", 0.00267853), ("month", 0.01164683)]
)
def test_fifteen_percent_a_year_in_each_unit(unit: str, expected: float) -> None:
    assert continuous_discount_rate(0.15, TimeUnit(unit)) == pytest.approx(expected, rel=2e-6)
    assert continuous_discount_rate(0.15, TimeUnit.YEAR) == pytest.approx(0.1397619, rel=1e-6)
