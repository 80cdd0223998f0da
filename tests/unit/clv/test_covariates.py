"""Time-invariant covariates: what they estimate, what they leave alone, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from support.buyers import customers_who_die, customers_who_drop_out

from clvspark.clv import BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel
from clvspark.clv.models.covariate_model import CovariateModel
from clvspark.clv.models.errors import (
    ConvergenceError,
    DegenerateDataError,
    InvalidArgumentError,
    InvalidSummaryError,
)

MODELS = [BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel]
BOTH = {"purchase_covariates": ("web", "age"), "dropout_covariates": ("web",)}
TRIPLES = {
    "frequency": [2, 0, 5, 1],
    "recency": [20.0, 0.0, 40.0, 3.0],
    "T": [30.0, 25.0, 41.0, 9.0],
}
KNOWN = pd.DataFrame(TRIPLES | {"web": [1.0, 0.0, 1.0, 0.0], "age": [0.3, -1.2, 0.0, 0.8]})


def of_known_parameters(kind: type[CovariateModel]) -> CovariateModel:
    scales = {"r": 0.6, "alpha": 8.0, "s": 0.7, "beta": 11.0, "a": 0.8, "b": 2.5}
    names = kind(time_unit="week", **BOTH)._names()
    params = {name: scales.get(name, 0.1 * (i + 1)) for i, name in enumerate(names)}
    return kind.from_params(params, time_unit="week", **BOTH)


def test_coefficients_are_named_by_process_parameter_and_column() -> None:
    assert BetaGeoModel(time_unit="week", **BOTH)._names() == (
        "r", "alpha", "a", "b", "purchase_coefficient_alpha_web", "purchase_coefficient_alpha_age",
        "dropout_coefficient_a_web", "dropout_coefficient_b_web",
    )  # fmt: skip
    assert ParetoNBDModel(time_unit="week", dropout_covariates=["web"])._names() == (
        "r", "alpha", "s", "beta", "dropout_coefficient_beta_web",
    )  # fmt: skip


def test_customers_who_differ_only_in_a_covariate_have_the_parameters_of_the_note() -> None:
    """Fader and Hardie (2007): alpha_0 exp(-g1'z), beta_0 exp(-g2'z); a_0 exp(g2'z), b_0 exp(g3'z)."""
    pareto, beta_geo = of_known_parameters(ParetoNBDModel), of_known_parameters(BetaGeoModel)
    first = pareto.customer_parameters(KNOWN).iloc[0]
    assert first["alpha"] == pytest.approx(8.0 * np.exp(-(0.5 * 1.0 + 0.6 * 0.3)))
    assert first["beta"] == pytest.approx(11.0 * np.exp(-0.7 * 1.0))
    first = beta_geo.customer_parameters(KNOWN).iloc[0]
    assert first["a"] == pytest.approx(0.8 * np.exp(0.7))
    assert first["b"] == pytest.approx(2.5 * np.exp(0.8))
    assert (first["r"], beta_geo.customer_parameters(KNOWN)["a"].iloc[1]) == (0.6, 0.8)


@pytest.mark.parametrize("kind", MODELS)
def test_a_customer_is_one_of_the_plain_model_with_his_parameters(
    kind: type[CovariateModel],
) -> None:
    model = of_known_parameters(kind)
    own = model.customer_parameters(KNOWN)
    asked = [
        lambda m, rows: m.expected_probability_alive(rows),
        lambda m, rows: m.expected_purchases(rows, future_t=26),
        lambda m, rows: m.discounted_expected_residual_transactions(rows, annual_discount_rate=0.1),
        lambda m, rows: m.discounted_expected_residual_transactions(
            rows, annual_discount_rate=0.1, horizon=52
        ),
    ]
    repeaters = KNOWN[KNOWN["frequency"] > 0]
    alone = [
        kind.from_params(own.loc[i].to_dict(), time_unit="week").log_likelihood(KNOWN.loc[[i]])
        for i in repeaters.index
    ]
    assert model.log_likelihood(repeaters) == pytest.approx(sum(alone), rel=1e-12)
    for ask in asked:
        together = ask(model, KNOWN)
        for i in KNOWN.index:
            plain = kind.from_params(own.loc[i].to_dict(), time_unit="week")
            assert together[i] == pytest.approx(ask(plain, KNOWN.loc[[i]])[i], rel=1e-9)


@pytest.mark.parametrize("kind", MODELS)
def test_a_new_customer_has_the_covariates_that_are_given(kind: type[CovariateModel]) -> None:
    model, who = of_known_parameters(kind), {"web": 1.0, "age": 0.3}
    plain = kind.from_params(model.customer_parameters(KNOWN).iloc[0].to_dict(), time_unit="week")
    found = model.expected_purchases_new_customer(t=52.0, covariates=who)
    assert found == pytest.approx(plain.expected_purchases_new_customer(t=52.0))
    np.testing.assert_allclose(
        model.probability_of_n_purchases(n=[0, 1, 5], t=52.0, covariates=who),
        plain.probability_of_n_purchases(n=[0, 1, 5], t=52.0),
    )
    with pytest.raises(InvalidArgumentError, match="has exactly web, age; give a finite number"):
        model.expected_purchases_new_customer(t=52.0)


@pytest.mark.parametrize("kind", MODELS)
def test_gradient_agrees_with_finite_differences(
    kind: type[CovariateModel], cdnow: pd.DataFrame
) -> None:
    rng = np.random.default_rng(3)
    known = cdnow.assign(web=rng.integers(0, 2, len(cdnow)), age=rng.normal(size=len(cdnow)))
    model = kind(time_unit="week", **BOTH)
    objective = model._objective(model._read_groups(known, 10_000))
    at = np.array([-0.5, 2.2, 0.1, 1.0, 0.3, -0.2, 0.4, -0.1][: len(model._names())])
    _, gradient = objective(at)
    for i, step in enumerate(np.eye(len(at)) * 1e-5):
        slope = (objective(at + step)[0] - objective(at - step)[0]) / 2e-5
        assert gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("kind", MODELS)
def test_coefficients_of_zero_are_the_model_without(
    kind: type[CovariateModel], cdnow: pd.DataFrame
) -> None:
    plain = kind(time_unit="week").fit(cdnow)
    known = cdnow.assign(web=cdnow.index % 2, age=0.1)
    names = kind(time_unit="week", **BOTH)._names()
    zero = dict.fromkeys(names, 0.0) | plain.params_
    model = kind.from_params(zero, time_unit="week", **BOTH)
    assert model.log_likelihood(known) == pytest.approx(plain.log_likelihood_, rel=1e-12)
    np.testing.assert_allclose(
        model.expected_purchases(known, future_t=52), plain.expected_purchases(cdnow, future_t=52)
    )


@pytest.mark.parametrize("kind", [BetaGeoModel, ModifiedBetaGeoModel])
def test_simulated_dropout_lies_within_three_standard_errors(kind: type[CovariateModel]) -> None:
    truth = {
        "r": 0.9, "alpha": 6.0, "a": 0.8, "b": 2.5,
        "purchase_coefficient_alpha_web": 0.5, "dropout_coefficient_a_web": 0.4,
        "dropout_coefficient_b_web": -0.3,
    }  # fmt: skip
    chances = kind.initial_chances  # type: ignore[attr-defined]
    rows = customers_who_drop_out(truth, n=30_000, seed=7, initial_chances=chances)
    model = kind(time_unit="week", purchase_covariates=["web"], dropout_covariates=["web"])
    assert_recovers(model.fit(rows), truth)


def test_simulated_deaths_lie_within_three_standard_errors() -> None:
    truth = {
        "r": 0.8, "alpha": 6.0, "s": 0.7, "beta": 12.0,
        "purchase_coefficient_alpha_web": 0.6, "purchase_coefficient_alpha_age": -0.25,
        "dropout_coefficient_beta_web": -0.5,
    }  # fmt: skip
    rows = customers_who_die(truth, n=20_000, seed=8)
    assert_recovers(ParetoNBDModel(time_unit="week", **BOTH).fit(rows), truth)


def assert_recovers(fitted: CovariateModel, truth: dict[str, float]) -> None:
    for name, value in truth.items():
        error = fitted.standard_errors_[name]
        assert abs(fitted.params_[name] - value) < 3.0 * error, name
        if "coefficient" in name:
            assert error < 0.35  # so that three of them say something


@pytest.mark.parametrize(("origin", "unit"), [(-40.0, 1.0), (2.5, 0.01), (100.0, 10.0)])
def test_units_and_origin_of_a_covariate_do_not_matter(origin: float, unit: float) -> None:
    truth = {"r": 0.8, "alpha": 6.0, "s": 0.7, "beta": 12.0, "purchase_coefficient_alpha_web": 0.6}
    rows = customers_who_die(truth, n=1_500, seed=9)
    moved = rows.assign(web=(rows["web"] - origin) / unit)
    plain, other = (
        ParetoNBDModel(time_unit="week", purchase_covariates=["web"]).fit(r) for r in (rows, moved)
    )
    assert other.log_likelihood_ == pytest.approx(plain.log_likelihood_, rel=1e-9)
    name = "purchase_coefficient_alpha_web"
    assert other.params_[name] / unit == pytest.approx(plain.params_[name], rel=1e-4)
    assert other.standard_errors_[name] / unit == pytest.approx(
        plain.standard_errors_[name], rel=1e-3
    )
    np.testing.assert_allclose(
        other.expected_purchases(moved, future_t=26),
        plain.expected_purchases(rows, future_t=26),
        rtol=1e-4,
    )


def test_weighted_rows_fit_like_the_customers_they_stand_for() -> None:
    truth = {"r": 0.8, "alpha": 6.0, "s": 0.7, "beta": 12.0, "purchase_coefficient_alpha_web": 0.6}
    rows = customers_who_die(truth, n=3_000, seed=10).round(0).drop(columns="age")
    rows.loc[rows["frequency"] > 0, "recency"] = rows["recency"].clip(lower=1.0)
    weighted = (
        rows.groupby(list(rows.columns), as_index=False).size().rename(columns={"size": "weight"})
    )
    model = ParetoNBDModel(time_unit="week", purchase_covariates=["web"])
    assert len(weighted) < len(rows)
    assert model.fit(rows).to_dict() == model.fit(weighted).to_dict()


def test_a_document_keeps_the_covariates() -> None:
    model = of_known_parameters(BetaGeoModel)
    again = BetaGeoModel.from_dict(json.loads(json.dumps(model.to_dict())))
    assert again.purchase_covariates == ("web", "age")
    assert again.params_ == model.params_
    assert (
        "purchase_covariates"
        not in BetaGeoModel.from_params(
            {"r": 1, "alpha": 2, "a": 1, "b": 2}, time_unit="week"
        ).to_dict()
    )


def test_covariates_without_information_are_named() -> None:
    rows = customers_who_die({"r": 0.8, "alpha": 6.0, "s": 0.7, "beta": 12.0}, n=200, seed=1)
    rows = rows.assign(shop=1 - rows["web"], country=3.7, year=2020.1)
    for columns, problem in (
        (
            ["web", "country", "year"],
            r"covariate\(s\) country, year are the same for every customer",
        ),
        (["web", "age", "shop"], "covariates web, shop are collinear"),
    ):
        with pytest.raises(DegenerateDataError, match=problem):
            ParetoNBDModel(time_unit="week", purchase_covariates=columns).fit(rows)


def test_a_covariate_must_not_be_too_far_from_zero() -> None:
    """A year of birth: alpha of somebody born in the year 0 is no number."""
    truth = {"r": 0.8, "alpha": 6.0, "s": 0.7, "beta": 12.0, "purchase_coefficient_alpha_web": 0.6}
    rows = customers_who_die(truth, n=1_500, seed=9)
    with pytest.raises(DegenerateDataError, match="web is so far from zero that alpha"):
        ParetoNBDModel(time_unit="week", purchase_covariates=["web"]).fit(
            rows.assign(web=rows["web"] + 5_000.0)
        )


def test_missing_values_are_counted() -> None:
    rows = KNOWN.assign(age=[np.nan, 1.0, np.inf, 41.7])
    with pytest.raises(
        InvalidSummaryError, match=r"summary\.age: is missing or not finite in 2 of 4"
    ) as raised:
        ParetoNBDModel(time_unit="week", **BOTH).fit(rows)
    assert "41.7" not in str(raised.value)
    with pytest.raises(InvalidSummaryError, match="is missing or not finite in 2 of 4"):
        of_known_parameters(ParetoNBDModel).expected_probability_alive(rows)
    with pytest.raises(InvalidSummaryError, match=r"column\(s\) web missing"):
        of_known_parameters(ParetoNBDModel).expected_probability_alive(KNOWN.drop(columns="web"))


def test_a_coefficient_that_runs_off_is_named() -> None:
    """Nobody of the web came back, so their purchase rate goes to zero."""
    rows = customers_who_die({"r": 0.8, "alpha": 6.0, "s": 0.7, "beta": 12.0}, n=3_000, seed=2)
    separated = rows.assign(web=np.where(rows["frequency"] > 0, 0.0, rows["web"]))
    with pytest.raises(ConvergenceError, match="purchase_coefficient_alpha_web"):
        ParetoNBDModel(time_unit="week", purchase_covariates=["web"]).fit(separated)


@pytest.mark.parametrize("columns", ["web", ("web", "web"), ("T",), ("weight",)])
def test_covariates_are_different_columns_of_their_own(columns: object) -> None:
    with pytest.raises(InvalidArgumentError, match="purchase_covariates: must be a sequence"):
        ParetoNBDModel(time_unit="week", purchase_covariates=columns)  # type: ignore[arg-type]


def test_coefficients_may_be_negative_and_parameters_may_not() -> None:
    params = of_known_parameters(ParetoNBDModel).params_
    negative = params | {"purchase_coefficient_alpha_web": -1.0}
    assert ParetoNBDModel.from_params(negative, time_unit="week", **BOTH).params_ == negative
    with pytest.raises(InvalidArgumentError, match="of either sign"):
        ParetoNBDModel.from_params(params | {"s": -1.0}, time_unit="week", **BOTH)
