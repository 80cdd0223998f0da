"""Learning earns more than chance and habit, in markets whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clvspark.audiences.decisions.beliefs import believe
from clvspark.audiences.decisions.config import Learning, Ranking
from clvspark.audiences.decisions.posteriors import Sums, list_priors, update_posteriors
from clvspark.audiences.decisions.propensities import list_choice_probabilities
from clvspark.audiences.decisions.simulator import Course, draw_market, play

SEEDS = range(20)


@pytest.fixture(scope="module")
def courses() -> dict[Ranking, list[Course]]:
    rankings: tuple[Ranking, ...] = ("learning", "random", "fixed")
    return {
        ranking: [play(draw_market(seed), ranking, Learning(), seed=seed) for seed in SEEDS]
        for ranking in rankings
    }


@pytest.mark.parametrize(("other", "wins"), [("random", 20), ("fixed", 15)])
def test_learning_beats_other_rankings_in_cumulative_margin(
    courses: dict[Ranking, list[Course]], other: Ranking, wins: int
) -> None:
    margin = {name: np.array([c.margin[-1] for c in found]) for name, found in courses.items()}
    ahead = margin["learning"] - margin[other]
    assert np.sum(ahead > 0) >= wins, "a habit is by luck the best choice now and then"
    assert stats.ttest_1samp(ahead, 0, alternative="greater").pvalue < 0.001
    regret = {name: np.mean([c.regret[-1] for c in found]) for name, found in courses.items()}
    assert regret["learning"] < 0.4 * regret[other]


def test_what_is_lost_grows_ever_slower_where_something_is_learnt(
    courses: dict[Ranking, list[Course]],
) -> None:
    def second_half(ranking: Ranking) -> float:
        curve = np.mean([course.regret for course in courses[ranking]], axis=0)
        return float((curve[-1] - curve[len(curve) // 2]) / curve[-1])

    assert second_half("learning") < 0.4
    assert second_half("random") == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("reward", ["margin", "conversion"])
def test_the_same_seed_plays_the_same_course(reward: str) -> None:
    learning = Learning.model_validate({"reward": reward})
    once, again = (
        play(draw_market(4), "learning", learning, seed=4, days=20, customers=50) for _ in range(2)
    )
    np.testing.assert_array_equal(once.margin, again.margin)
    other = play(draw_market(4), "learning", learning, seed=5, days=20, customers=50)
    assert once.margin[-1] != other.margin[-1]


def test_regret_is_nothing_where_the_best_is_known_and_chosen() -> None:
    market = draw_market(1, contexts=1, offers=1)
    better = market.offers[0].id if market.value[0, 1] > market.value[0, 0] else None
    course = play(market, "fixed", Learning(), seed=1, days=5, customers=20)
    assert (course.regret[-1] == 0) == (better is not None)
    assert np.all(np.diff(course.regret) >= 0)


def test_another_ranking_can_be_judged_by_what_this_one_did() -> None:
    """Outcomes weighed by the inverse of their propensity give the value of choosing by lot, without bias."""
    market, learning = draw_market(2), Learning()
    shape = market.response.shape
    nothing_known = Sums(*(np.zeros(shape) for _ in range(4)))
    posteriors = update_posteriors(list_priors(market.offers, learning), nothing_known, learning)
    beliefs = believe(
        "learning", posteriors, market.offers, learning, contexts=market.contexts, order=()
    )
    draw = np.random.default_rng(8)
    context = draw.choice(len(market.shares), 60_000, p=market.shares)
    scores = beliefs.draw(context, draw.random((context.size, shape[1])))
    chosen = np.argmax(scores, axis=1)
    anything = np.full(shape[1], -np.inf)
    known = [list_choice_probabilities(beliefs, row, anything)[0] for row in range(shape[0])]
    value = market.value[context, chosen]
    weight = 1.0 / shape[1] / np.array(known)[context, chosen]
    lot = market.value[context].mean()
    error = (value * weight).std() / context.size**0.5
    assert abs((value * weight).mean() - lot) < 4 * error
    assert abs(value.mean() - lot) > 8 * error, "unweighed they would be those of this ranking"
