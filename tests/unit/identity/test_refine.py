"""Average linkage takes apart what chaining joined."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clvspark.identity.refine import average_linkage


def matrix(size: int, weights: dict[tuple[int, int], float]) -> np.ndarray:
    full = np.zeros((size, size))
    for (i, j), weight in weights.items():
        full[i, j] = full[j, i] = weight
    return full


def groups(labels: np.ndarray) -> list[list[int]]:
    return sorted(np.flatnonzero(labels == label).tolist() for label in np.unique(labels))


def link(
    weights: np.ndarray, *, cut: float = 1.0, clip: float = 12.0, most: int = 50
) -> list[list[int]]:
    labels, _ = average_linkage(weights, cut=cut, clip=clip, max_records=most)
    return groups(labels)


def test_records_that_agree_with_each_other_stay_together() -> None:
    assert link(matrix(3, {(0, 1): 5, (1, 2): 5, (0, 2): 5})) == [[0, 1, 2]]


def test_a_chain_whose_ends_contradict_is_cut() -> None:
    assert link(matrix(3, {(0, 1): 6, (1, 2): 4, (0, 2): -12})) == [[0, 1], [2]]


def test_two_families_joined_by_one_shared_link_come_apart() -> None:
    weights = {(0, 1): 8.0, (2, 3): 8.0, (1, 2): 3.0, (0, 2): -6.0, (0, 3): -6.0, (1, 3): -6.0}
    assert link(matrix(4, weights)) == [[0, 1], [2, 3]]


def test_a_pair_that_says_nothing_is_left_out_of_the_mean() -> None:
    assert link(matrix(3, {(0, 1): 4, (1, 2): 4})) == [[0, 1, 2]]


def test_the_cut_is_inclusive() -> None:
    assert link(matrix(2, {(0, 1): 1.0})) == [[0, 1]]
    assert link(matrix(2, {(0, 1): 0.99})) == [[0], [1]]


def test_the_guard_raises_the_cut_until_groups_are_small_enough() -> None:
    weights = {(0, 1): 9.0, (2, 3): 9.0, (0, 2): 3.0, (0, 3): 3.0, (1, 2): 3.0, (1, 3): 3.0}
    labels, raised = average_linkage(matrix(4, weights), cut=1, clip=12, max_records=2)
    assert groups(labels) == [[0, 1], [2, 3]]
    assert raised.all()
    unguarded, untouched = average_linkage(matrix(4, weights), cut=1, clip=12, max_records=4)
    assert groups(unguarded) == [[0, 1, 2, 3]]
    assert not untouched.any()


def test_a_group_that_nothing_can_cut_falls_into_single_records() -> None:
    labels, raised = average_linkage(np.full((5, 5), 12.0), cut=1, clip=12, max_records=3)
    assert groups(labels) == [[0], [1], [2], [3], [4]]
    assert raised.all()


@st.composite
def weight_matrices(draw: st.DrawFn) -> np.ndarray:
    size = draw(st.integers(2, 8))
    # Distinct weights: among ties the order of the records would decide.
    values = draw(st.permutations(np.linspace(-12, 12, 40).tolist()))
    return matrix(
        size, dict(zip([(i, j) for i in range(size) for j in range(i)], values, strict=False))
    )


@given(weight_matrices(), st.integers(1, 5), st.randoms(use_true_random=False))
def test_no_group_exceeds_the_bound_and_the_order_of_records_plays_no_part(
    weights, most, random
) -> None:
    found = link(weights, most=most)
    assert max(map(len, found)) <= most
    order = list(range(len(weights)))
    random.shuffle(order)
    shuffled = link(weights[np.ix_(order, order)], most=most)
    assert sorted(sorted(order[i] for i in group) for group in shuffled) == found
