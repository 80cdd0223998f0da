"""What one customer will do: distributions against sums, integrals and simulated customers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    CondensedBetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoModel,
    NBDModel,
    ParetoNBDModel,
)
from clvspark.clv.models.transactions import TRIPLE, TransactionModel
from clvspark.clv.uncertainty import OutcomeModel

KINDS: dict[str, tuple[type[TransactionModel], dict[str, float], dict[str, Any]]] = {
    "pareto": (ParetoNBDModel, PARETO, {}),
    "beta_geo": (BetaGeoModel, BETA_GEO, {}),
    "modified_beta_geo": (ModifiedBetaGeoModel, BETA_GEO, {}),
    "nbd": (NBDModel, {"r": 0.3, "alpha": 4.0}, {}),
    "cnbd_3": (CondensedBetaGeoModel, BETA_GEO, {"regularity": 3}),
    "modified_cnbd_2": (
        CondensedBetaGeoModel,
        BETA_GEO,
        {"regularity": 2, "dropout_at_first_purchase": True},
    ),
}
HISTORIES = pd.DataFrame(
    {
        "frequency": [0.0, 1.0, 3.0, 30.0, 300.0],
        "recency": [0.0, 1.0, 28.0, 39.0, 49.5],
        "T": [30.0, 60.0, 30.0, 40.0, 50.0],
        "monetary_value": [0.0, 12.5, 40.0, 25.0, 8.0],
    }
)


TRIPLES = {name: HISTORIES[name].to_numpy() for name in TRIPLE}


def model_of(kind: str) -> TransactionModel:
    model, params, settings = KINDS[kind]
    return model.from_params(params, time_unit="week", **settings)


def outcomes_of(kind: str, **options: float) -> OutcomeModel:
    spend = GammaGammaModel.from_params(SPEND, time_unit="week")
    return OutcomeModel(model_of(kind), spend, **{"horizon": 52.0, **options})


def counts_of(
    model: TransactionModel, triples: Mapping[str, np.ndarray], *, future_t: float, most: int
) -> np.ndarray:
    """Chances of 0..most purchases of any customer, from those of the living by stage."""
    alive = model.alive_by_stage(triples)
    counts = model.future_purchase_counts(triples, future_t=future_t, most=most)
    mixed = np.einsum("jc,jcn->cn", alive, counts)
    mixed[:, 0] += 1.0 - alive.sum(axis=0)
    return mixed


@pytest.mark.parametrize("kind", KINDS)
def test_counts_sum_to_one_and_have_the_expected_mean(kind: str) -> None:
    model = model_of(kind)
    most = int(model.most_future_purchases(TRIPLES, future_t=52.0).max())
    stages = model.future_purchase_counts(TRIPLES, future_t=52.0, most=most)
    np.testing.assert_allclose(stages.sum(axis=2), 1.0, atol=1e-9)
    mean = counts_of(model, TRIPLES, future_t=52.0, most=most) @ np.arange(most + 1.0)
    np.testing.assert_allclose(mean, model.expected_purchases(TRIPLES, future_t=52.0), rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_stages_of_the_rhythm_sum_to_the_probability_of_being_alive(kind: str) -> None:
    model = model_of(kind)
    stages = model.alive_by_stage(TRIPLES)
    assert len(stages) == KINDS[kind][2].get("regularity", 1)
    np.testing.assert_allclose(stages.sum(axis=0), model.expected_probability_alive(TRIPLES))


@pytest.mark.parametrize("kind", ["pareto", "beta_geo", "nbd", "cnbd_3"])
def test_a_newborn_buys_as_often_as_the_new_customer_of_the_literature(kind: str) -> None:
    """Of models in which everybody starts alive, x = T = 0 is a new customer."""
    model, n = model_of(kind), np.arange(20)
    newborn = {name: np.zeros(1) for name in TRIPLE}
    found = counts_of(model, newborn, future_t=30.0, most=19)
    published = model.probability_of_n_purchases(n=n, t=30.0)
    np.testing.assert_allclose(found[0], published, rtol=1e-9)


@pytest.mark.parametrize("modified", [False, True])
def test_regularity_one_buys_as_a_customer_without_rhythm(modified: bool) -> None:
    plain = model_of("modified_beta_geo" if modified else "beta_geo")
    regular = CondensedBetaGeoModel.from_params(
        BETA_GEO, time_unit="week", regularity=1, dropout_at_first_purchase=modified
    )
    for ask in (
        lambda model: model.most_future_purchases(TRIPLES, future_t=52.0),
        lambda model: counts_of(model, TRIPLES, future_t=52.0, most=200),
    ):
        np.testing.assert_allclose(ask(regular), ask(plain), rtol=1e-10)


def test_counts_at_discrete_opportunities() -> None:
    params = {"alpha": 1.2, "beta": 0.75, "gamma": 0.66, "delta": 2.78}
    model = BetaGeoBetaBinomModel.from_params(params, time_unit="year")
    triples = {name: np.array([0.0, last]) for name, last in zip(TRIPLE, (2, 5, 6), strict=True)}
    counts = counts_of(model, triples, future_t=5, most=7)
    np.testing.assert_allclose(counts.sum(axis=1), 1.0)
    np.testing.assert_allclose(counts[:, 6:], 0.0)
    mean = model.expected_purchases(triples, future_t=5)
    np.testing.assert_allclose(counts @ np.arange(8.0), mean)
    spend = GammaGammaModel.from_params(SPEND, time_unit="year")
    outcomes = OutcomeModel(model, spend, horizon=5).predict(
        {**triples, "monetary_value": [0.0, 30.0]}
    )
    np.testing.assert_allclose(outcomes.probability_above(0.0), 1.0 - counts[:, 0])
    assert np.all(outcomes.purchases(0.999) <= 5)


@pytest.mark.parametrize("kind", KINDS)
def test_value_is_a_mixture_of_beta_primes_over_counts(kind: str) -> None:
    """P(value > v), term by term: P(alive) sum over n of P(n) P(n purchases exceed v)."""
    amount, model = 120.0, model_of(kind)
    found = outcomes_of(kind).predict(HISTORIES).probability_above(amount)
    counts = counts_of(model, TRIPLES, future_t=52.0, most=2_000)[:, 1:]
    for row, history in enumerate(HISTORIES.itertuples()):
        unit = SPEND["v"] + history.frequency * history.monetary_value
        shapes = SPEND["p"] * np.arange(1.0, 2_001.0), SPEND["p"] * history.frequency + SPEND["q"]
        beyond = float(counts[row] @ betaprime.sf(amount / unit, *shapes))
        assert found[row] == pytest.approx(beyond, abs=2e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0.1, 0.5, 0.9, 0.99])
def test_quantiles_invert_probabilities(kind: str, level: float) -> None:
    outcomes = outcomes_of(kind, annual_discount_rate=0.1).predict(HISTORIES)
    value = outcomes.value(level)
    above = outcomes.probability_above(value)
    np.testing.assert_allclose(above[value > 0], 1 - level, atol=1e-6)
    assert np.all(above[value == 0] <= 1 - level)
    assert value.max() > 0


@pytest.mark.parametrize("kind", ["pareto", "modified_cnbd_2"])
def test_purchases_are_the_smallest_number_that_reaches_the_level(kind: str) -> None:
    model, outcomes = model_of(kind), outcomes_of(kind).predict(HISTORIES)
    below = np.cumsum(counts_of(model, TRIPLES, future_t=52.0, most=2_000), axis=1)
    for number in (-1, 0, 1, 7, 5_000):
        expected = below[:, min(number, 2_000)] if number >= 0 else np.zeros(len(below))
        above = outcomes.counts.probability_above(np.full(len(below), number))
        np.testing.assert_allclose(1.0 - above, expected, atol=1e-6)
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


@pytest.mark.parametrize("kind", ["pareto", "modified_cnbd_2"])
def test_equal_histories_are_alike_in_whatever_batch_they_are(kind: str) -> None:
    customers = simulate_customers("ParetoNBDModel", PARETO, n=700, seed=5)
    customers["T"] = np.ceil(customers["T"])
    model = outcomes_of(kind, annual_discount_rate=0.1)
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
