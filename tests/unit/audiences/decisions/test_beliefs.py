"""What each ranking scores by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clvspark.audiences.decisions.beliefs import believe, is_nothing_ranked, value_contacts
from clvspark.audiences.decisions.config import Learning, Ranking
from clvspark.audiences.decisions.offers import Offer
from clvspark.audiences.decisions.posteriors import Posteriors, Sums, list_priors, update_posteriors

GIFT: dict[str, Any] = {
    "id": "gift", "name": "Gift", "goal": "margin", "channels": ["email"], "response": 0.2, "margin": 50,
    "cost_per_contact": 1, "cost_per_redemption": 10, "lever": 0.5,
    "context_weights": {"lifecycle_stage=lapsed": 3, "clv_decile=1": 2},
}  # fmt: skip
OFFERS = [
    Offer.model_validate(GIFT),
    Offer.model_validate({**GIFT, "id": "call", "context_weights": {}}),
]
CONTEXTS = ["clv_decile=1|lifecycle_stage=lapsed", "clv_decile=2|lifecycle_stage=core"]
LEARNING = Learning.model_validate({"baseline": {"response": 0.1, "margin": 30}})


def scores(ranking: Ranking, place: float, learning: Learning = LEARNING) -> np.ndarray:
    """Of doing nothing, the gift and the call in both contexts, at one place of their distributions."""
    beliefs = believe(
        ranking, prior(learning), OFFERS, learning, contexts=CONTEXTS, order=["call", "gift"]
    )
    return beliefs.draw(np.arange(2), np.full((2, 3), place))


def prior(learning: Learning) -> Posteriors:
    nothing = Sums(*(np.zeros((2, 3)) for _ in range(4)))
    return update_posteriors(list_priors(OFFERS, learning), nothing, learning)


def test_the_classic_formula_is_propensity_context_value_lever() -> None:
    plain = 0.2 * 1 * (50 - 10) * 0.5
    expected = [[0, 6 * plain, plain], [0, plain, plain]]
    np.testing.assert_allclose(scores("classic", 0.5), expected, atol=1e-6)
    assert not is_nothing_ranked("classic")


@pytest.mark.parametrize("reward", ["margin", "conversion"])
def test_learning_scores_margin_net_of_costs_and_of_doing_nothing(reward: str) -> None:
    learning = Learning.model_validate({**LEARNING.model_dump(), "reward": reward})
    value = 0.2 * 50 - 1 - 0.2 * 10 - 0.1 * 30
    np.testing.assert_allclose(
        value_contacts(prior(learning), OFFERS, learning), [[3, value + 3, value + 3]] * 2
    )
    places = (np.arange(4_000) + 0.5) / 4_000
    mean = np.mean([scores("learning", place, learning) for place in places], axis=0)
    np.testing.assert_allclose(mean, [[0, value, value]] * 2, atol=0.02)
    assert is_nothing_ranked("learning")


def test_a_fixed_order_is_that_of_the_decision_point_whatever_is_drawn() -> None:
    assert np.all(scores("fixed", 0.01)[:, 2] > scores("fixed", 0.99)[:, 1])


def test_a_lot_knows_no_offer() -> None:
    assert np.all(scores("random", 0.3) == 0.3)
