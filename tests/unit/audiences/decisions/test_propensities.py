"""Probabilities of choices agree with drawing many times, also where stock has bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clvspark.audiences.decisions.beliefs import (
    Beliefs,
    BetaBeliefs,
    EvenBeliefs,
    GaussianBeliefs,
)
from clvspark.audiences.decisions.propensities import list_choice_probabilities

NEVER, ANY = np.nan, -np.inf
LOCATION = np.array([[0.0, 1.0, 0.5, 5.0]])
GAUSSIAN = GaussianBeliefs(LOCATION, np.array([[1.0, 0.02, 3.0, 1.0]]), np.full((1, 4), 6.0))
BETA = BetaBeliefs(
    np.array([[1.0, 30.0, 2.0, 5.0]]),
    np.array([[20.0, 600.0, 3.0, 5.0]]),
    np.array([60.0, 80.0, -4.0, 0.0]),
    np.array([[0.0, -1.0, 2.0, 1.0]]),
)


def play(beliefs: Beliefs, cutoffs: np.ndarray, draws: int = 200_000) -> tuple[np.ndarray, float]:
    """Shares of the choices among many draws."""
    uniforms = np.random.default_rng(3).random((draws, len(cutoffs)))
    scores = beliefs.draw(np.zeros(draws, dtype=int), uniforms)
    scores = np.where(scores > cutoffs, scores, -np.inf)
    scores[:, np.isnan(cutoffs)] = -np.inf
    left = np.isfinite(scores).any(axis=1)
    chosen = np.bincount(np.argmax(scores, axis=1)[left], minlength=len(cutoffs))
    return chosen / draws, 1 - left.mean()


@pytest.mark.parametrize("beliefs", [GAUSSIAN, BETA, EvenBeliefs(LOCATION, 2.0)])
@pytest.mark.parametrize(
    "cutoffs",
    [
        [ANY, ANY, ANY, NEVER],
        [ANY, ANY, ANY, ANY],
        [ANY, 1.0, 2.0, NEVER],
        [NEVER, 1.01, 2.0, NEVER],
        [ANY, np.inf, ANY, NEVER],
        [NEVER, ANY, NEVER, NEVER],
    ],
)
def test_it_is_how_often_an_offer_is_chosen(beliefs: Beliefs, cutoffs: list[float]) -> None:
    found, nothing = list_choice_probabilities(beliefs, 0, np.array(cutoffs))
    shares, left = play(beliefs, np.array(cutoffs))
    np.testing.assert_allclose(found, shares, atol=0.006)
    assert nothing == pytest.approx(left, abs=0.006)


def test_where_nothing_can_be_chosen_nothing_is() -> None:
    found, nothing = list_choice_probabilities(GAUSSIAN, 0, np.full(4, NEVER))
    assert (found.sum(), nothing) == (0, 1)


def test_a_lot_among_three_is_a_third() -> None:
    lot = EvenBeliefs(np.zeros((1, 3)), 1.0)
    found, _ = list_choice_probabilities(lot, 0, np.full(3, ANY))
    np.testing.assert_allclose(found, 1 / 3, atol=1e-9)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.floats(-50, 50), st.floats(0.01, 30), st.floats(2, 200)),
        min_size=1,
        max_size=5,
    ),
    st.floats(-40, 40),
)
def test_probabilities_add_up_to_one(
    offers: list[tuple[float, float, float]], cutoff: float
) -> None:
    location, scale, degrees = (np.array([part]) for part in zip(*offers, strict=True))
    cutoffs = np.full(len(offers), ANY)
    cutoffs[-1] = cutoff
    found, nothing = list_choice_probabilities(
        GaussianBeliefs(location, scale, degrees), 0, cutoffs
    )
    assert found.sum() + nothing == pytest.approx(1)
    assert np.all(found >= 0)


@pytest.mark.parametrize("beliefs", [GAUSSIAN, BETA, EvenBeliefs(LOCATION, 2.0)])
def test_draws_are_of_the_distribution_that_is_said(beliefs: Beliefs) -> None:
    places = np.linspace(0.01, 0.99, 41)
    scores = beliefs.draw(np.zeros(41, dtype=int), np.repeat(places[:, None], 4, axis=1))
    for offer in range(3):
        below = beliefs.below(0, scores[:, offer])[offer]
        falling = isinstance(beliefs, BetaBeliefs) and offer == 2
        np.testing.assert_allclose(below, 1 - places if falling else places, atol=1e-8)
