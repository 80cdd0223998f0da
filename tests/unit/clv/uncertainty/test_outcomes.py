"""What one customer will do: distributions against sums, integrals and simulated customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betaprime
from support.customers import BETA_GEO, PARETO, SPEND, simulate_customers

from clvspark.clv import (
    BetaGeoBetaBinomModel,
    BetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoModel,
    NBDModel,
    ParetoNBDModel,
)
from clvspark.clv.models.future_counts import most_purchases
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.uncertainty import OutcomeModel

KINDS: dict[str, tuple[type[MemorylessModel], dict[str, float]]] = {
    "pareto": (ParetoNBDModel, PARETO),
    "beta_geo": (BetaGeoModel, BETA_GEO),
    "modified_beta_geo": (ModifiedBetaGeoModel, BETA_GEO),
    "nbd": (NBDModel, {"r": 0.3, "alpha": 4.0}),
}
HISTORIES = pd.DataFrame(
    {
        "frequency": [0.0, 1.0, 3.0, 30.0, 300.0],
        "recency": [0.0, 1.0, 28.0, 39.0, 49.5],
        "T": [30.0, 60.0, 30.0, 40.0, 50.0],
        "monetary_value": [0.0, 12.5, 40.0, 25.0, 8.0],
    }
)


def model_of(kind: str) -> MemorylessModel:
    model, params = KINDS[kind]
    return model.from_params(params, time_unit="week")


def outcomes_of(kind: str, **options: float) -> OutcomeModel:
    spend = GammaGammaModel.from_params(SPEND, time_unit="week")
    return OutcomeModel(model_of(kind), spend, **{"horizon": 52.0, **options})


@pytest.mark.parametrize("kind", KINDS)
def test_counts_of_the_living_sum_to_one_and_have_the_expected_mean(kind: str) -> None:
    model = model_of(kind)
    r, alpha = model.params_["r"], model.params_["alpha"]
    x, age = HISTORIES["frequency"].to_numpy(), HISTORIES["T"].to_numpy()
    most = int(most_purchases(r + x, alpha + age, 52.0).max())
    counts = model.future_purchase_counts(x, age, future_t=52.0, most=most)
    np.testing.assert_allclose(counts.sum(axis=1), 1.0, atol=1e-9)
    mean = model._purchases_if_alive(x, age, 52.0)
    np.testing.assert_allclose(counts @ np.arange(most + 1.0), mean, rtol=1e-7)


@pytest.mark.parametrize("kind", ["pareto", "beta_geo", "nbd"])
def test_a_newborn_buys_as_often_as_the_new_customer_of_the_literature(kind: str) -> None:
    """Of models in which everybody starts alive, x = T = 0 is a new customer."""
    model, n = model_of(kind), np.arange(20)
    newborn = model.future_purchase_counts(np.zeros(1), np.zeros(1), future_t=30.0, most=19)
    published = model.probability_of_n_purchases(n=n, t=30.0)
    np.testing.assert_allclose(newborn[0], published, rtol=1e-9)


def test_counts_at_discrete_opportunities() -> None:
    params = {"alpha": 1.2, "beta": 0.75, "gamma": 0.66, "delta": 2.78}
    model = BetaGeoBetaBinomModel.from_params(params, time_unit="year")
    counts = model.future_purchase_counts(
        np.array([0.0, 2.0]), np.array([0.0, 6.0]), future_t=5, most=7
    )
    np.testing.assert_allclose(counts.sum(axis=1), 1.0)
    np.testing.assert_allclose(counts[:, 6:], 0.0)
    mean = model._purchases_if_alive(np.array([0.0, 2.0]), np.array([0.0, 6.0]), 5.0)
    np.testing.assert_allclose(counts @ np.arange(8.0), mean)


@pytest.mark.parametrize("kind", KINDS)
def test_value_is_a_mixture_of_beta_primes_over_counts(kind: str) -> None:
    """P(value > v), term by term: P(alive) sum over n of P(n) P(n purchases exceed v)."""
    amount, model = 120.0, model_of(kind)
    found = outcomes_of(kind).predict(HISTORIES).probability_above(amount)
    for row, history in enumerate(HISTORIES.itertuples()):
        x, age = np.array([history.frequency]), np.array([history.T])
        counts = model.future_purchase_counts(x, age, future_t=52.0, most=2_000)[0, 1:]
        unit = SPEND["v"] + history.frequency * history.monetary_value
        shapes = SPEND["p"] * np.arange(1.0, 2_001.0), SPEND["p"] * history.frequency + SPEND["q"]
        beyond = float(counts @ betaprime.sf(amount / unit, *shapes))
        alive = model.expected_probability_alive(HISTORIES[row : row + 1]).iloc[0]
        assert found[row] == pytest.approx(alive * beyond, abs=2e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0.1, 0.5, 0.9, 0.99])
def test_quantiles_invert_probabilities(kind: str, level: float) -> None:
    outcomes = outcomes_of(kind, annual_discount_rate=0.1).predict(HISTORIES)
    value = outcomes.value(level)
    above = outcomes.probability_above(value)
    np.testing.assert_allclose(above[value > 0], 1 - level, atol=1e-6)
    assert np.all(above[value == 0] <= 1 - level)
    assert value.max() > 0


def test_purchases_are_the_smallest_number_that_reaches_the_level() -> None:
    model, outcomes = model_of("pareto"), outcomes_of("pareto").predict(HISTORIES)
    x, age = HISTORIES["frequency"].to_numpy(), HISTORIES["T"].to_numpy()
    counts = model.future_purchase_counts(x, age, future_t=52.0, most=2_000)
    alive = np.asarray(model.expected_probability_alive(HISTORIES))
    below = 1 - alive[:, None] * (1 - np.cumsum(counts, axis=1))
    for level in (0.1, 0.5, 0.9):
        expected = (below >= level - 1e-12).argmax(axis=1)
        np.testing.assert_array_equal(outcomes.purchases(level), expected)


def test_a_customer_who_is_surely_gone_brings_nothing() -> None:
    gone = pd.DataFrame(
        {"frequency": [40.0], "recency": [10.0], "T": [500.0], "monetary_value": [50.0]}
    )
    outcomes = outcomes_of("beta_geo").predict(gone)
    assert outcomes.value(0.9)[0] == 0.0
    assert outcomes.purchases(0.9)[0] == 0.0
    assert outcomes.probability_above(0.0)[0] < 1e-6


def test_equal_histories_are_alike_in_whatever_batch_they_are() -> None:
    customers = simulate_customers("ParetoNBDModel", PARETO, n=700, seed=5)
    customers["T"] = np.ceil(customers["T"])
    model = outcomes_of("pareto", annual_discount_rate=0.1)
    whole = model.predict(customers)
    for at in range(0, 700, 90):
        part = model.predict(customers[at : at + 90])
        rows = slice(at, at + 90)
        np.testing.assert_allclose(part.value(0.9), whole.value(0.9)[rows], rtol=1e-9)
        np.testing.assert_array_equal(part.purchases(0.9), whole.purchases(0.9)[rows])


def test_no_customers_are_no_outcomes() -> None:
    outcomes = outcomes_of("pareto").predict(HISTORIES[:0])
    assert outcomes.value(0.9).shape == outcomes.purchases(0.1).shape == (0,)


quick = settings(max_examples=40, deadline=None)


@given(
    st.sampled_from(list(KINDS)),
    st.integers(0, 400),
    st.floats(0.5, 300.0),
    st.floats(0.01, 1.0),
    st.floats(0.1, 500.0),
    st.floats(1.0, 150.0),
)
@quick
def test_more_is_never_more_likely_and_a_longer_horizon_holds_no_less(  # type: ignore[no-untyped-def]
    kind, x, age, part, spend, horizon
):
    history = {
        "frequency": [float(x)],
        "recency": [age * part if x else 0.0],
        "T": [age],
        "monetary_value": [spend if x else 0.0],
    }
    near = outcomes_of(kind, horizon=horizon).predict(history)
    far = outcomes_of(kind, horizon=1.5 * horizon).predict(history)
    chances = [near.probability_above(v)[0] for v in (0.0, 10.0, 100.0, 1e4, 1e9)]
    assert chances == sorted(chances, reverse=True)
    assert 0.0 <= chances[-1] <= chances[0] <= 1.0
    for level in (0.1, 0.5, 0.9):
        assert 0.0 <= near.value(level)[0] <= far.value(level)[0] * (1 + 1e-2) + 1e-9
        assert near.purchases(level)[0] <= far.purchases(level)[0]
