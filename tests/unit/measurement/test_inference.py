"""The permutation test keeps its promises where outcomes are mostly zero and the holdout is small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, permutation_test, ttest_ind

from clvspark.measurement.inference import Comparison, Group, adjust_p_values, compare_means

Outcomes = NDArray[np.float64]
SHUFFLES = 600
PERSONS, HELD = 600, 60


def group(values: Outcomes, distinct: Outcomes) -> Group:
    counts = np.bincount(np.searchsorted(distinct, values), minlength=distinct.size)
    return Group(counts, float(values.mean()), float(values.var(ddof=1)))


def compare(treated: Outcomes, held: Outcomes, seed: int = 0) -> Comparison:
    distinct = np.unique(np.concatenate([treated, held]))
    return compare_means(distinct, group(treated, distinct), group(held, distinct), seed=str(seed))


def draw_outcomes(random: np.random.Generator, persons: int, buyers: float) -> Outcomes:
    """Spend of a window: most persons buy nothing, few buy much."""
    spent = np.round(random.lognormal(3.0, 1.0, persons))
    return np.where(random.random(persons) < buyers, spent, 0.0)


def test_the_false_positive_rate_of_reshuffled_groups_is_nominal() -> None:
    random = np.random.default_rng(20260401)
    outcomes = draw_outcomes(random, PERSONS, 0.08)
    found, welch = [], []
    for shuffle in range(SHUFFLES):
        dealt = random.permutation(outcomes)
        held, treated = dealt[:HELD], dealt[HELD:]
        found.append(compare(treated, held, shuffle).p_value <= 0.05)
        welch.append(ttest_ind(treated, held, equal_var=False).pvalue <= 0.05)
    assert 0.035 <= np.mean(found) <= 0.065
    assert np.mean(welch) > 0.1, "the t interval is too narrow here, which is why it is not used"


def test_the_interval_covers_a_true_difference_as_often_as_it_says() -> None:
    random = np.random.default_rng(20260402)
    difference = (0.18 - 0.12) * np.exp(3.5)
    covered = []
    for sample in range(SHUFFLES // 2):
        treated = draw_outcomes(random, PERSONS - HELD, 0.18)
        found = compare(treated, draw_outcomes(random, HELD, 0.12), sample)
        covered.append(found.ci_low <= difference <= found.ci_high)
    assert 0.93 <= np.mean(covered) <= 0.98


def test_a_real_difference_is_found() -> None:
    random = np.random.default_rng(1)
    found = compare(draw_outcomes(random, 5_000, 0.4), draw_outcomes(random, 500, 0.2))
    assert found.p_value < 0.001
    assert 0 < found.ci_low < found.difference < found.ci_high


def test_p_values_agree_with_scipys_test_over_all_reshuffles() -> None:
    treated, held = np.array([0, 0, 3, 9, 12, 7.0]), np.array([0, 1, 0, 2.0])

    def studentised(a: Outcomes, b: Outcomes) -> float:
        return float(
            (a.mean() - b.mean()) / np.sqrt(a.var(ddof=1) / a.size + b.var(ddof=1) / b.size)
        )

    exact = permutation_test((treated, held), studentised, n_resamples=np.inf)
    assert compare(treated, held).p_value == pytest.approx(exact.pvalue, abs=0.02)


amounts = st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.0, 5.0, 40.0]), min_size=5, max_size=30)


@given(amounts, amounts)
def test_the_interval_leaves_out_0_exactly_where_the_test_says_so(
    treated: list[float], held: list[float]
) -> None:
    found = compare(np.array(treated), np.array(held))
    assert found.ci_low <= found.difference <= found.ci_high or found.p_value == 1.0
    assert (found.p_value <= 0.05) == (found.ci_low > 0 or found.ci_high < 0)
    assert compare(np.array(treated), np.array(held)) == found, "equal seeds, equal results"


def test_groups_without_spread_and_groups_too_small_for_a_bound() -> None:
    same = compare(np.zeros(30), np.zeros(10))
    assert (same.difference, same.ci_low, same.ci_high, same.p_value) == (0.0, 0.0, 0.0, 1.0)
    tiny = compare(np.array([0.0, 3.0]), np.array([3.0, 0.0]))
    assert (tiny.ci_low, tiny.ci_high) == (-np.inf, np.inf)


def test_holms_correction_of_a_worked_example() -> None:
    assert adjust_p_values([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust_p_values([0.6, 0.7]) == [1.0, 1.0]
    assert adjust_p_values([]) == []


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=20))
def test_corrected_values_keep_the_order_and_are_stricter_than_those_of_benjamini_and_hochberg(
    p_values: list[float],
) -> None:
    adjusted = adjust_p_values(p_values)
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)
    assert np.all(np.array(adjusted) >= false_discovery_control(p_values) - 1e-12)
