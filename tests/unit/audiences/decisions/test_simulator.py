"""Learning earns more than chance and habit, in markets whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clvspark.audiences.decisions.config import Learning, Ranking
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
