"""What holds for every customer and every parameter: bounds, monotonicity, additivity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clvspark.clv import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel, ParetoNBDModel

parameter = st.floats(0.05, 30.0)
scale = st.floats(0.5, 60.0)


@st.composite
def transaction_models(draw: st.DrawFn) -> BetaGeoModel | ModifiedBetaGeoModel | ParetoNBDModel:
    kind = draw(st.sampled_from([BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel]))
    scales = {"alpha", "beta"}
    params = {name: draw(scale if name in scales else parameter) for name in kind.parameter_names}
    return kind.from_params(params, time_unit="week")


@st.composite
def customers(draw: st.DrawFn) -> dict[str, list[float]]:
    frequency = draw(st.integers(0, 400))
    age = draw(st.floats(1.0, 500.0))
    recency = age * draw(st.floats(0.01, 1.0)) if frequency else 0.0
    return {"frequency": [float(frequency)], "recency": [recency], "T": [age]}


quick = settings(max_examples=60, deadline=None)


@given(transaction_models(), customers())
@quick
def test_probability_alive_is_a_probability(model, customer):  # type: ignore[no-untyped-def]
    assert 0.0 <= model.expected_probability_alive(customer)[0] <= 1.0


@given(transaction_models(), customers(), st.floats(0.1, 100.0))
@quick
def test_silence_never_raises_probability_alive(model, customer, more):  # type: ignore[no-untyped-def]
    later = customer | {"T": [customer["T"][0] + more]}
    before = model.expected_probability_alive(customer)[0]
    assert model.expected_probability_alive(later)[0] <= before + 1e-12


@given(transaction_models(), customers(), st.floats(0.1, 1.0))
@quick
def test_a_later_last_purchase_never_lowers_probability_alive(model, customer, part):  # type: ignore[no-untyped-def]
    earlier = customer | {"recency": [customer["recency"][0] * part]}
    now = model.expected_probability_alive(customer)[0]
    assert model.expected_probability_alive(earlier)[0] <= now + 1e-12


@given(transaction_models(), customers(), st.floats(0.0, 300.0), st.floats(0.0, 300.0))
@quick
def test_a_longer_future_holds_no_fewer_purchases(model, customer, t, more):  # type: ignore[no-untyped-def]
    near = model.expected_purchases(customer, future_t=t)[0]
    far = model.expected_purchases(customer, future_t=t + more)[0]
    assert 0.0 <= near <= far * (1 + 1e-9) + 1e-12
    assert np.isfinite(far)


@given(transaction_models(), customers(), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
@quick
def test_a_higher_discount_rate_never_raises_the_value(model, customer, rate, more):  # type: ignore[no-untyped-def]
    low, high = (
        model.discounted_expected_residual_transactions(customer, annual_discount_rate=one)[0]
        for one in (rate, rate + more)
    )
    assert 0.0 <= high <= low * (1 + 1e-9)


@given(transaction_models(), customers(), st.floats(1.0, 100.0))
@quick
def test_discounted_value_within_a_horizon_is_at_most_the_count(model, customer, horizon):  # type: ignore[no-untyped-def]
    value = model.discounted_expected_residual_transactions(
        customer, annual_discount_rate=0.1, horizon=horizon
    )[0]
    assert value <= model.expected_purchases(customer, future_t=horizon)[0] * (1 + 1e-8) + 1e-12


@given(transaction_models(), st.floats(0.5, 200.0))
@quick
def test_counts_of_a_new_customer_have_a_distribution(model, t):  # type: ignore[no-untyped-def]
    pmf = model.probability_of_n_purchases(n=np.arange(40), t=t)
    assert np.all(pmf >= 0.0)
    assert pmf.sum() <= 1.0 + 1e-8


@given(
    st.floats(0.5, 20), st.floats(1.1, 20), st.floats(0.5, 50), st.integers(1, 50),
    st.floats(0.1, 1000),
)  # fmt: skip
@quick
def test_expected_spend_shrinks_own_spend_towards_the_population(p, q, v, x, z):  # type: ignore[no-untyped-def]
    model = GammaGammaModel.from_params({"p": p, "q": q, "v": v}, time_unit="day")
    population = model.expected_new_customer_spend()
    spend = model.expected_customer_spend({"frequency": [x], "monetary_value": [z]})[0]
    slack = 1 + 1e-9
    assert min(z, population) <= spend * slack
    assert spend <= max(z, population) * slack


def test_beta_geo_without_repeat_purchases_is_alive_by_construction() -> None:
    params = {"r": 0.24, "alpha": 4.4, "a": 0.8, "b": 2.4}
    newcomer = {"frequency": [0], "recency": [0.0], "T": [200.0]}
    plain, modified = (
        kind.from_params(params, time_unit="week").expected_probability_alive(newcomer)[0]
        for kind in (BetaGeoModel, ModifiedBetaGeoModel)
    )
    assert plain == 1.0
    assert modified < 0.8


def test_predictions_come_back_in_the_shape_of_the_summary() -> None:
    model = ParetoNBDModel.from_params(
        {"r": 0.55, "alpha": 10.6, "s": 0.61, "beta": 11.7}, time_unit="week"
    )
    rows = {"frequency": [1, 0, 1], "recency": [5.0, 0.0, 5.0], "T": [9.0, 9.0, 9.0]}
    frame = pd.DataFrame(rows, index=["p3", "p1", "p2"])
    series = model.expected_purchases(frame, future_t=4)
    assert series.index.tolist() == ["p3", "p1", "p2"]
    assert series.name == "expected_purchases"
    array = model.expected_purchases(rows, future_t=4)
    assert isinstance(array, np.ndarray)
    assert array.tolist() == series.tolist()
    assert series["p3"] == series["p2"] != series["p1"]
    assert model.expected_purchases_new_customer(t=[0.0, 4.0]).shape == (2,)
    assert model.expected_purchases(frame.iloc[:0], future_t=4).empty


def test_expected_purchases_average_to_those_of_a_new_customer() -> None:
    """E[X(t1 + t2)] = E[X(t1)] + E[E[Y(t2) | history to t1]], history simulated."""
    rng = np.random.default_rng(11)
    n, age = 60_000, 30.0
    model = BetaGeoModel.from_params({"r": 0.9, "alpha": 5.0, "a": 0.8, "b": 2.5}, time_unit="week")
    rate, dropout = rng.gamma(0.9, 1 / 5.0, n), rng.beta(0.8, 2.5, n)
    frequency, recency, clock = np.zeros(n), np.zeros(n), np.zeros(n)
    active = np.ones(n, dtype=bool)
    while active.any():
        clock = clock + rng.exponential(1 / rate)
        active &= clock <= age
        frequency[active] += 1
        recency[active] = clock[active]
        active &= rng.random(n) > dropout
    history = {"frequency": frequency, "recency": recency, "T": np.full(n, age)}
    total = frequency.mean() + model.expected_purchases(history, future_t=20).mean()
    assert total == pytest.approx(model.expected_purchases_new_customer(t=50), rel=0.02)
