"""Closed forms against quadrature, textbook forms against ours, holes and overflows filled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import beta as beta_function
from scipy.special import hyp2f1, hyperu

from clvspark.clv import BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel
from clvspark.clv.models.geometric_dropout import (
    discounted_residual_purchases,
    residual_purchases,
)
from clvspark.clv.models.hypergeometric import gauss_2f1
from clvspark.clv.models.interpolation import interpolate_within_groups
from clvspark.clv.models.pareto_integral import death_integral

PARETO = {"r": 0.55, "alpha": 10.6, "s": 0.61, "beta": 11.7}
BETA_GEO = {"r": 0.24, "alpha": 4.41, "a": 0.79, "b": 2.43}
RATE, YEAR = 0.1, 365.25 / 7
DELTA = np.log(1 + RATE) / YEAR

positive = st.floats(0.1, 20.0)


def triples(*rows: tuple[float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["frequency", "recency", "T"])


def textbook_integral(r, alpha, s, beta, x, t_x, age):  # type: ignore[no-untyped-def]
    """A0 / (r + s + x) of Fader and Hardie (2005), with its two branches."""
    n = r + s + x
    second, near, gap = (
        (s + 1, alpha, alpha - beta) if alpha >= beta else (r + x, beta, beta - alpha)
    )

    def term(y: float) -> float:
        return float(hyp2f1(n, second, n + 1, gap / (near + y)) / (near + y) ** n)

    return (term(t_x) - term(age)) / n


@given(positive, positive, positive, positive, st.integers(0, 12), st.floats(0.05, 0.9))
@settings(max_examples=80, deadline=None)
def test_death_integral_is_the_hypergeometric_difference(
    r: float, alpha: float, s: float, beta: float, x: int, part: float
) -> None:
    age, t_x = 30.0, 30.0 * part if x else 0.0
    log_integral, _ = death_integral(
        np.array([r, alpha, s, beta]), np.array([float(x)]), np.array([t_x]), np.array([age])
    )
    expected = textbook_integral(r, alpha, s, beta, x, t_x, age)
    assume(expected > 0)
    assert np.exp(log_integral[0]) == pytest.approx(expected, rel=1e-7)


def test_alpha_equal_to_beta_is_no_special_case() -> None:
    """With alpha = beta the integrand is a plain power of (alpha + u)."""
    n = 0.5 + 4 + 0.7
    expected = ((8.0 + 10.0) ** -n - (8.0 + 30.0) ** -n) / n
    theta = np.array([0.5, 8.0, 0.7, 8.0])
    log_integral, _ = death_integral(theta, np.array([4.0]), np.array([10.0]), np.array([30.0]))
    assert np.exp(log_integral[0]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("x", [300.0, 1000.0, 5000.0])
def test_thousands_of_purchases_do_not_overflow(x: float) -> None:
    quiet = triples((x, 100.0, 100.2), (x, 50.0, 100.0))
    for model in (
        ParetoNBDModel.from_params(PARETO, time_unit="week"),
        BetaGeoModel.from_params(BETA_GEO, time_unit="week"),
        ModifiedBetaGeoModel.from_params(BETA_GEO, time_unit="week"),
    ):
        recent, silent = model.expected_probability_alive(quiet)
        assert 0.3 < recent <= 1.0
        assert 0.0 <= silent < 1e-10
        assert np.all(np.isfinite(model.expected_purchases(quiet, future_t=52)))


@given(positive, st.floats(0.5, 50), positive, positive, st.floats(0.1, 200))
@settings(max_examples=80, deadline=None)
def test_closed_form_of_residual_purchases_is_the_integral_of_the_rate(
    k: float, c: float, a: float, b: float, t: float
) -> None:
    arguments = np.array([k]), np.array([c]), a, np.array([b])
    closed = residual_purchases(*arguments, t)[0]
    integral = discounted_residual_purchases(*arguments, 0.0, t)[0]
    assert closed == pytest.approx(integral, rel=1e-8)


@pytest.mark.parametrize("model", [BetaGeoModel, ModifiedBetaGeoModel])
def test_expectation_is_continuous_through_a_equal_one(model: type[BetaGeoModel]) -> None:
    customer = triples((3, 20.0, 30.0), (0, 0.0, 30.0))
    below, at, above = (
        model.from_params(BETA_GEO | {"a": a}, time_unit="week").expected_purchases(
            customer, future_t=52
        )
        for a in (1 - 1e-3, 1.0, 1 + 1e-3)
    )
    np.testing.assert_allclose(at, (below + above) / 2, rtol=1e-6)


def test_expectation_is_continuous_through_s_equal_one() -> None:
    customer = triples((3, 20.0, 30.0))
    below, at, above = (
        ParetoNBDModel.from_params(PARETO | {"s": s}, time_unit="week").expected_purchases(
            customer, future_t=52
        )[0]
        for s in (1 - 1e-4, 1.0, 1 + 1e-4)
    )
    assert at == pytest.approx((below + above) / 2, rel=1e-7)


def test_pareto_dert_is_the_published_closed_form() -> None:
    model = ParetoNBDModel.from_params(PARETO, time_unit="week")
    customer = triples((7, 35.0, 77.0))
    r, alpha, s, beta = PARETO.values()
    p_alive = model.expected_probability_alive(customer)[0]
    span = beta + 77.0
    closed = p_alive * (r + 7) / (alpha + 77) * span * hyperu(1, 2 - s, DELTA * span)
    value = model.discounted_expected_residual_transactions(customer, annual_discount_rate=RATE)
    assert value[0] == pytest.approx(closed, rel=1e-10)


def test_pareto_dert_is_the_discounted_sum_of_its_own_forecast() -> None:
    """Integrating by parts: DERT = delta * integral of exp(-delta t) E[Y(t)]."""
    model = ParetoNBDModel.from_params(PARETO, time_unit="week")
    assert_dert_discounts_the_forecast(model)


@pytest.mark.parametrize("model", [BetaGeoModel, ModifiedBetaGeoModel])
def test_beta_geo_dert_is_the_discounted_sum_of_its_own_forecast(
    model: type[BetaGeoModel],
) -> None:
    assert_dert_discounts_the_forecast(model.from_params(BETA_GEO, time_unit="week"))


def assert_dert_discounts_the_forecast(model: BetaGeoModel | ParetoNBDModel) -> None:
    customer = triples((4, 20.0, 35.0))

    def discounted(v: float) -> float:
        t = np.expm1(v)
        forecast = model.expected_purchases(customer, future_t=t)[0]
        return float(DELTA * np.exp(-DELTA * t + v) * forecast)

    total, _ = quad(discounted, 0.0, np.log1p(60.0 / DELTA), epsabs=0, epsrel=1e-10, limit=200)
    value = model.discounted_expected_residual_transactions(customer, annual_discount_rate=RATE)
    assert value[0] == pytest.approx(total, rel=1e-8)


def test_beta_geo_dert_is_the_posterior_mean_of_rate_over_rate_times_dropout_plus_discount() -> (
    None
):
    """E[lambda / (lambda p + delta)] given alive, by two nested adaptive quadratures."""
    r, alpha, a, b = BETA_GEO.values()
    x, age = 4, 35.0

    def given_dropout(p: float) -> float:
        k, c = r + x, alpha + age
        # lambda ~ Gamma(k, c): k/c * integral of exp(-delta u) (1 + p u / c)^-(k + 1).
        inner, _ = quad(lambda z: np.exp(-z) * (1 + p * z / (DELTA * c)) ** -(k + 1), 0, 60)
        return inner * k / (c * DELTA) * p ** (a - 1) * (1 - p) ** (b + x - 1)

    mean, _ = quad(given_dropout, 0, 1, limit=400, epsrel=1e-9)
    mean /= beta_function(a, b + x)
    value = discounted_residual_purchases(
        np.array([r + x]), np.array([alpha + age]), a, np.array([b + x]), DELTA, np.inf
    )
    assert value[0] == pytest.approx(mean, rel=1e-6)


def test_finite_horizon_without_discount_is_the_expected_purchases() -> None:
    customer = triples((4, 20.0, 35.0), (0, 0.0, 35.0))
    for model in (
        ParetoNBDModel.from_params(PARETO, time_unit="week"),
        BetaGeoModel.from_params(BETA_GEO, time_unit="week"),
    ):
        np.testing.assert_allclose(
            model.discounted_expected_residual_transactions(
                customer, annual_discount_rate=0.0, horizon=26
            ),
            model.expected_purchases(customer, future_t=26),
            rtol=1e-10,
        )


def test_interpolated_values_equal_direct_ones() -> None:
    rng = np.random.default_rng(3)
    x, age = rng.poisson(2.0, 2000).astype(float), rng.uniform(0, 100, 2000)

    def value(k: np.ndarray, c: np.ndarray) -> np.ndarray:
        return np.asarray(
            discounted_residual_purchases(k + 0.3, c + 5.0, 0.8, k + 2.0, 0.01, np.inf)
        )

    np.testing.assert_allclose(interpolate_within_groups(value, x, age), value(x, age), rtol=1e-8)


def test_interpolation_gives_way_where_the_series_does_not_converge() -> None:
    value = np.linspace(-1, 1, 500)
    kinked = interpolate_within_groups(lambda _, v: 1 + np.abs(v), np.zeros(500), value)
    np.testing.assert_array_equal(kinked, 1 + np.abs(value))


@pytest.mark.parametrize(
    ("model", "params"),
    [(BetaGeoModel, BETA_GEO), (ModifiedBetaGeoModel, BETA_GEO), (ParetoNBDModel, PARETO)],
)
def test_count_distribution_sums_to_one_and_has_the_expected_mean(model, params) -> None:  # type: ignore[no-untyped-def]
    fitted, n = model.from_params(params, time_unit="week"), np.arange(600)
    pmf = fitted.probability_of_n_purchases(n=n, t=30)
    assert pmf.min() >= 0
    assert pmf.sum() == pytest.approx(1.0, abs=1e-10)
    assert pmf @ n == pytest.approx(fitted.expected_purchases_new_customer(t=30), rel=1e-8)
    assert fitted.probability_of_n_purchases(n=[0, 1], t=0) == pytest.approx([1.0, 0.0], abs=1e-12)


@pytest.mark.parametrize("distance", [0.0, 1e-16, 1e-13, 1e-9, -1e-8, 1e-6])
@pytest.mark.parametrize("z", [0.5, 0.95, 0.999, 0.999999])
def test_hypergeometric_function_near_whole_differences(z: float, distance: float) -> None:
    """Euler's integral of 2F1(2, 0.05; 3.05; z), where c - a - b is 1 but for rounding."""
    a, b, c = 2.0 + distance, 0.05, 3.05

    def integrand(v: float) -> float:
        # t = v^(1/b) takes the singularity of t^(b - 1) away.
        t = v ** (1 / b)
        return float((1 - t) ** (c - b - 1) * (1 - z * t) ** -a)

    breaks = [(1 - 10.0**-n) ** b for n in range(1, 8)]
    integral, _ = quad(integrand, 0, 1, points=breaks, epsabs=0, epsrel=1e-12, limit=500)
    expected = integral / (b * beta_function(b, c - b))
    assert gauss_2f1(a, b, c, z) == pytest.approx(expected, rel=1e-9)


def test_dropout_parameter_equal_to_rate_parameter_stays_finite() -> None:
    model = BetaGeoModel.from_params(
        {"r": 0.05, "alpha": 1.0, "a": 0.05, "b": 5.0}, time_unit="week"
    )
    value = model.discounted_expected_residual_transactions(
        triples((0, 0.0, 1.0), (3, 1.0, 1.0)), annual_discount_rate=0.5
    )
    assert np.all(np.isfinite(value))
    assert np.all(value > 0)
