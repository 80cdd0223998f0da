"""Models by segment: their own where there are customers enough, drawn towards the whole where not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.buyers import customers_who_die

from clvspark.clv import BetaGeoModel, ParetoNBDModel
from clvspark.clv.models.errors import (
    DegenerateDataError,
    InvalidArgumentError,
    InvalidSummaryError,
    TooManyGroupsError,
)
from clvspark.clv.models.pooling import NormalPrior, estimate_prior
from clvspark.clv.segment_models import FitStatus, SegmentModels
from clvspark.clv.segments import fit_by_segment

TRUTH = {"r": 0.8, "alpha": 6.0, "s": 0.7, "beta": 12.0}
PARETO = ParetoNBDModel(time_unit="week")
COLUMNS = ["frequency", "recency", "T"]


def country(name: str | None, n: int, seed: int, **truth: float) -> pd.DataFrame:
    rows = customers_who_die(TRUTH | truth, n=n, seed=seed)[COLUMNS]
    return rows.assign(country=name)


def countries() -> pd.DataFrame:
    large = [country(f"large {i}", 2_000, i, alpha=5.0 + i) for i in range(4)]
    small = [country("small", 40, 11, alpha=5.0), country(None, 30, 12)]
    lost = pd.DataFrame({"frequency": [0.0], "recency": [0.0], "T": [30.0], "country": ["lost"]})
    return pd.concat([*large, *small, lost], ignore_index=True)


@pytest.fixture(scope="module")
def models() -> SegmentModels:
    return fit_by_segment(countries(), segment_columns=["country"], model=PARETO)


def test_every_segment_has_a_model_and_says_where_from(models: SegmentModels) -> None:
    assert {fit.segment[0]: (fit.status.value, fit.customers) for fit in models.fits.values()} == {
        None: ("pooled", 30),
        "large 0": ("fitted", 2000),
        "large 1": ("fitted", 2000),
        "large 2": ("fitted", 2000),
        "large 3": ("fitted", 2000),
        "lost": ("pooled", 1),
        "small": ("pooled", 40),
    }
    assert models.fits[("small",)].reason == "fewer than 200 customers"
    frame = models.to_frame()
    assert frame["log_likelihood"].notna().all()
    assert frame["params"].iloc[0].keys() == TRUTH.keys()


def test_a_segment_predicts_with_its_own_model(models: SegmentModels) -> None:
    rows = countries().iloc[::97].assign(country=lambda f: f["country"].replace("small", "new"))
    p_alive = models.expected_probability_alive(rows)
    bought = models.expected_purchases(rows, future_t=26)
    worth = models.discounted_expected_residual_transactions(rows, annual_discount_rate=0.1)
    assert p_alive.index.equals(rows.index)
    for name, members in rows.groupby("country", dropna=False):
        label = None if pd.isna(name) else name
        model = models.whole if label == "new" else models.fits[(label,)].model
        assert model is models.model_of((label,))
        expected = model.expected_purchases(members, future_t=26)
        np.testing.assert_allclose(bought[members.index], expected)
        expected = model.discounted_expected_residual_transactions(
            members, annual_discount_rate=0.1
        )
        np.testing.assert_allclose(worth[members.index], expected)


def test_one_segment_is_the_plain_fit() -> None:
    rows = country("fr", 1_000, 3)
    fits = fit_by_segment(rows, segment_columns=["country"], model=PARETO).fits
    assert list(fits) == [("fr",)]
    plain = ParetoNBDModel(time_unit="week").fit(rows)
    assert fits[("fr",)].model.params_ == pytest.approx(plain.params_, rel=1e-9)
    assert fits[("fr",)].status is FitStatus.FITTED


def test_too_few_fitted_segments_say_nothing_about_their_differences() -> None:
    rows = pd.concat([country("fr", 1_000, 3), country("mt", 20, 4)])
    models = fit_by_segment(rows, segment_columns=["country"], model=PARETO)
    whole = ParetoNBDModel(time_unit="week").fit(rows)
    assert models.prior is None
    assert models.fits[("mt",)].status is FitStatus.PRIOR_ONLY
    assert models.fits[("mt",)].model.params_ == pytest.approx(whole.params_, rel=1e-9)
    assert models.model_of(("??",)).params_ == pytest.approx(whole.params_, rel=1e-9)


def test_equal_segments_do_not_differ() -> None:
    alike = [country(name, 1_500, 5) for name in ("at", "be", "ch", "de")]
    models = fit_by_segment(pd.concat(alike), segment_columns=["country"], model=PARETO)
    plain = ParetoNBDModel(time_unit="week").fit(alike[0])
    assert models.prior is not None
    assert np.abs(models.prior.covariance).max() < 1e-6
    for fit in models.fits.values():
        assert fit.model.params_ == pytest.approx(plain.params_, rel=1e-3)


def test_a_growing_segment_tends_to_its_own_estimate() -> None:
    prior = NormalPrior(np.log([0.8, 6.0, 0.7, 12.0]), np.eye(4) * 0.01)
    rows = country("fr", 400, 6, alpha=15.0)
    own = ParetoNBDModel(time_unit="week").fit(rows).unconstrained()
    distances = [
        np.abs(
            ParetoNBDModel(time_unit="week")
            .fit_with_prior(rows.assign(weight=w), prior)
            .unconstrained()
            - own
        ).max()
        for w in (0.1, 10.0, 1e3, 1e5)
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.01 * distances[0]


def test_without_variance_a_prior_decides_alone() -> None:
    prior = NormalPrior(np.log([0.8, 6.0, 0.7, 12.0]), np.zeros((4, 4)))
    rows = country("fr", 400, 6, alpha=15.0)
    model = ParetoNBDModel(time_unit="week").fit_with_prior(rows, prior)
    assert model.params_ == pytest.approx(TRUTH)
    assert model.log_likelihood_ == pytest.approx(model.log_likelihood(rows))
    assert set(model.standard_errors_.values()) == {0.0}


def test_the_posterior_mode_has_no_slope() -> None:
    prior = NormalPrior(np.log([1.0, 8.0, 0.5, 9.0]), np.diag([0.1, 0.2, 0.3, 0.4]))
    rows = country("fr", 60, 6)
    model = ParetoNBDModel(time_unit="week").fit_with_prior(rows, prior)

    def posterior(log_params: np.ndarray) -> float:
        away = log_params - prior.mean
        at = model.with_unconstrained(log_params)
        return at.log_likelihood(rows) - 0.5 * away @ np.linalg.solve(prior.covariance, away)

    for step in np.eye(4) * 1e-4:
        ahead, behind = (
            posterior(model.unconstrained() + step),
            posterior(model.unconstrained() - step),
        )
        assert (ahead - behind) / 2e-4 == pytest.approx(0.0, abs=1e-4)


def test_prior_of_scalars_is_the_restricted_maximum() -> None:
    """Equal variances have a closed form: Tau = sample variance (n - 1) - V."""
    estimates = np.array([[1.0], [3.0], [2.0], [6.0]])
    prior = estimate_prior(estimates, np.full((4, 1, 1), 0.5))
    assert prior.mean[0] == pytest.approx(3.0)
    assert prior.covariance[0, 0] == pytest.approx(estimates.var(ddof=1) - 0.5, rel=1e-5)
    certain = estimate_prior(estimates, np.full((4, 1, 1), 50.0))
    assert certain.covariance[0, 0] == pytest.approx(0.0, abs=1e-6)


def test_the_prior_recovers_how_segments_differ() -> None:
    rng = np.random.default_rng(4)
    mean, tau = np.array([0.5, -1.0]), np.array([[0.3, 0.2], [0.2, 0.4]])
    within = np.array([np.diag(rng.uniform(0.05, 0.5, 2)) for _ in range(2_000)])
    truth = rng.multivariate_normal(mean, tau, 2_000)
    estimates = truth + rng.normal(size=truth.shape) * np.sqrt(np.einsum("jii->ji", within))
    prior = estimate_prior(estimates, within)
    np.testing.assert_allclose(prior.mean, mean, atol=0.06)
    np.testing.assert_allclose(prior.covariance, tau, atol=0.06)


def test_pooling_brings_small_segments_nearer_to_the_truth() -> None:
    """Twenty segments of 250 customers: squared error of log-parameters, alone and pooled."""
    rng = np.random.default_rng(20)
    center = np.log(list(TRUTH.values()))
    truth = {f"s{i}": center + rng.normal(size=4) * 0.2 for i in range(20)}
    rows = pd.concat(
        country(name, 250, 100 + i, **dict(zip(TRUTH, np.exp(at), strict=True)))
        for i, (name, at) in enumerate(truth.items())
    )
    models = fit_by_segment(rows, segment_columns=["country"], model=PARETO)
    fitted = [fit for fit in models.fits.values() if fit.status is FitStatus.FITTED]
    assert len(fitted) >= 12
    pooled = {fit.segment[0]: fit.model.unconstrained() for fit in fitted}
    own = {
        name: ParetoNBDModel(time_unit="week").fit(rows[rows["country"] == name]).unconstrained()
        for name in pooled
    }
    alone, together = (
        np.mean([np.sum((found[name] - truth[str(name)]) ** 2) for name in pooled])
        for found in (own, pooled)
    )
    assert together < 0.5 * alone


def test_covariates_within_segments() -> None:
    truth = TRUTH | {"purchase_coefficient_alpha_web": 0.7}
    rows = pd.concat(
        customers_who_die(truth, n=1_500, seed=30 + i).assign(country=f"c{i}") for i in range(3)
    )
    model = ParetoNBDModel(time_unit="week", purchase_covariates=["web"])
    models = fit_by_segment(rows, segment_columns=["country"], model=model)
    found = models.fits[("c1",)].model
    name = "purchase_coefficient_alpha_web"
    assert abs(found.params_[name] - 0.7) < 3 * found.standard_errors_[name] + 0.1
    assert models.expected_purchases(rows, future_t=4).notna().all()


def test_what_is_refused() -> None:
    rows = country("fr", 20, 1)
    for columns in ([], ["T"], ["country", "country"], "country", ["status"]):
        with pytest.raises(InvalidArgumentError, match="segment_columns: must be one or more"):
            fit_by_segment(rows, segment_columns=columns, model=PARETO)
    with pytest.raises(InvalidSummaryError, match=r"column\(s\) channel missing"):
        fit_by_segment(rows, segment_columns=["channel"], model=PARETO)
    many = pd.concat([rows, country("de", 20, 2)])
    with pytest.raises(TooManyGroupsError, match="more than 1 segments by country"):
        fit_by_segment(many, segment_columns=["country"], model=PARETO, max_segments=1)
    with pytest.raises(DegenerateDataError, match="no segment to fit"):
        fit_by_segment(
            rows.iloc[:0], segment_columns=["country"], model=BetaGeoModel(time_unit="week")
        )


def test_invalid_rows_of_any_segment_are_refused() -> None:
    rows = pd.concat([country("fr", 500, 1), country("mt", 20, 2).assign(T=-1.0)])
    with pytest.raises(
        InvalidSummaryError, match=r"in 1 of 2 segments, e.g.: summary.T: is negative"
    ):
        fit_by_segment(rows, segment_columns=["country"], model=PARETO)
