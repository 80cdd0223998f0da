"""Posteriors are prior and sums of outcomes, in whatever order these come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvspark.audiences.decisions.config import Learning
from clvspark.audiences.decisions.offers import Offer
from clvspark.audiences.decisions.posteriors import (
    Posteriors,
    Priors,
    Sums,
    estimate_pooling,
    list_priors,
    update_posteriors,
)

APART = Learning(prior_trials=4, pooling_trials=0)
PRIORS = Priors(response=np.array([0.25]), margin=np.array([40.0]), deviation=np.array([20.0]))


def sum_of(*contexts: list[float]) -> Sums:
    """One offer; the margins of its contacts, by context."""
    rows = [np.array(margins, dtype=float) for margins in contexts]
    columns = [
        [len(margins) for margins in rows],
        [np.count_nonzero(margins) for margins in rows],
        [margins.sum() for margins in rows],
        [(margins**2).sum() for margins in rows],
    ]
    return Sums(*(np.array(column, dtype=float)[:, None] for column in columns))


def test_without_outcomes_the_prior_stands() -> None:
    found = update_posteriors(PRIORS, sum_of([]), APART)
    assert found.mean.item() == 10
    assert found.response.item() == 0.25
    assert found.rate.item() / found.shape.item() == pytest.approx(20.0**2)


def test_margins_move_the_mean_by_their_weight() -> None:
    found = update_posteriors(PRIORS, sum_of([0, 0, 30, 70]), APART)
    assert found.mean.item() == pytest.approx((4 * 10 + 100) / 8)
    assert found.response.item() == pytest.approx((1 + 2) / 8)
    # Murphy (2007), eq. 89, written out.
    scatter = 25**2 + 25**2 + 5**2 + 45**2
    assert found.rate.item() == pytest.approx(
        3 * 20**2 + scatter / 2 + 4 * 4 * (25 - 10) ** 2 / (2 * 8)
    )
    assert found.shape.item() == 3 + 2


def test_one_by_one_is_all_at_once() -> None:
    """The posterior after some outcomes is the prior of the next: eqs. 86 to 89 compose."""
    weight, mean, shape, rate = 4.0, 10.0, 3.0, 3 * 400.0
    margins = [0.0, 12.5, 0.0, 80.0, 3.0]
    for margin in margins:
        rate += weight * (margin - mean) ** 2 / (2 * (weight + 1))
        mean, weight, shape = (weight * mean + margin) / (weight + 1), weight + 1, shape + 0.5
    found = update_posteriors(PRIORS, sum_of(margins), APART)
    assert (found.mean.item(), found.rate.item()) == pytest.approx((mean, rate))
    assert (found.weight.item(), found.shape.item()) == (weight, shape)


def test_a_sparse_context_begins_where_the_others_are() -> None:
    """One other context tells nothing of how contexts differ, so it weighs what was expected."""
    many = [50.0, 60.0] * 100
    near = update_posteriors(
        PRIORS, sum_of([], many), APART.model_copy(update={"pooling_trials": 36})
    )
    alone = update_posteriors(PRIORS, sum_of([], many), APART)
    assert alone.mean[0].item() == 10
    assert near.mean[0].item() == pytest.approx((4 * 10 + 36 * 55) / 40)
    assert near.weight[0].item() == pytest.approx(40), "as if there had been 36 trials, not 200"
    assert near.mean[1].item() == alone.mean[1].item(), "whom nobody helps learns alone"


def test_others_weigh_the_less_the_more_contexts_differ() -> None:
    def pooled(*means: float) -> float:
        draw = np.random.default_rng(9)
        contexts = [list(draw.normal(mean, 20, 2_000)) for mean in means]
        sums = sum_of(*contexts)
        return estimate_pooling(sums.trials, sums.margin, sums.margin_square, 30.0).item()

    assert pooled(50, 50, 50, 50) > 300
    # Variance between the means: (10^2 + 10^2) / 3 of three contexts without bias: 100.
    assert pooled(40, 50, 60) == pytest.approx(20**2 / 100, rel=0.5)
    assert pooled(0, 200, 900) < 0.1


@given(
    st.lists(st.lists(st.floats(0, 500), max_size=8), min_size=2, max_size=4),
    st.floats(0, 100),
)
def test_no_outcome_counts_twice(contexts: list[list[float]], pooling: float) -> None:
    learning = Learning(prior_trials=4, pooling_trials=pooling)
    sums = sum_of(*contexts)
    found = update_posteriors(PRIORS, sums, learning)
    everything = [margin for margins in contexts for margin in margins]
    own = 4 + sums.trials.ravel()
    for weight in (found.weight.ravel(), (found.successes + found.failures).ravel()):
        assert np.all(weight >= own - 1e-9)
        assert np.all(weight <= 4 + len(everything) + 1e-9)
    assert np.all(found.mean >= min([*everything, 10.0]) - 1e-9)
    assert np.all(found.mean <= max([*everything, 10.0]) + 1e-9)
    assert np.all(found.rate > 0)


def test_the_prior_of_an_offer_is_what_its_file_says() -> None:
    offer = Offer(
        id="gift", name="Gift", goal="orders", channels=["email"], response=0.1, margin=50
    )
    priors = list_priors([offer], Learning())
    np.testing.assert_allclose(priors.mean, [0.03 * 20, 5])
    draws = np.random.default_rng(1).exponential(50, 400_000)
    bought = np.random.default_rng(2).random(400_000) < 0.1
    assert priors.deviation[1] == pytest.approx(np.std(draws * bought), rel=0.02)


def test_the_scale_is_that_of_the_mean() -> None:
    found = Posteriors(*(np.array([[v]]) for v in (5.0, 9.0, 2.0, 72.0, 1.0, 1.0)))
    assert found.scale.item() == pytest.approx((72 / (2 * 9)) ** 0.5)
