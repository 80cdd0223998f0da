"""Profile linkage takes a component apart into persons: against a slow implementation, and in any order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvspark.identity.clustering.linkage import ComponentPairs, LinkageRules, group_records

Pair = tuple[int, int]
RULES = LinkageRules(
    prior=-4.0,
    cut=0.0,
    contradiction_growth=0.5,
    conflict_weights=(0.0, 8.0),
    max_records=50,
)


@dataclass
class Case:
    """Pairs of one component or of several, with the bits of two comparisons; what is not given is unknown."""

    records: int
    bits: dict[Pair, tuple[float, float]]
    bonds: dict[Pair, int] = field(default_factory=dict)
    components: list[list[int]] | None = None

    def group(self, rules: LinkageRules = RULES) -> tuple[list[list[int]], list[bool]]:
        groups = self.components or [list(range(self.records))]
        inside = [(min(g), *pair) for g in groups for pair in combinations(sorted(g), 2)]
        pairs = ComponentPairs(
            np.array([c for c, _, _ in inside], dtype=np.int64),
            np.array([left for _, left, _ in inside], dtype=np.int64),
            np.array([right for _, _, right in inside], dtype=np.int64),
            np.array([self.bits.get((a, b), (0.0, 0.0)) for _, a, b in inside]).reshape(-1, 2),
            np.array([self.bonds.get((a, b), 0) for _, a, b in inside], dtype=np.int8),
        )
        labels, raised = group_records(pairs, self.records, rules)
        found = [np.flatnonzero(labels == label).tolist() for label in np.unique(labels)]
        assert all(labels[group[0]] == group[0] for group in found), "named by its smallest record"
        return sorted(found), raised.tolist()

    def renumbered(self, order: list[int]) -> Case:
        """The same records under other numbers: record r becomes order[r]."""

        def moved(pairs: dict[Pair, object]) -> dict[Pair, object]:
            return {
                (min(order[a], order[b]), max(order[a], order[b])): v for (a, b), v in pairs.items()
            }

        return Case(self.records, moved(self.bits), moved(self.bonds))  # type: ignore[arg-type]


def slow_groups(case: Case, rules: LinkageRules) -> list[list[int]]:
    """The definition, word by word: all groups against all in every round."""
    groups = [[n] for n in range(case.records)]

    def weight(a: list[int], b: list[int]) -> float:
        between = [(min(i, j), max(i, j)) for i in a for j in b]
        bonds = {case.bonds.get(pair, 0) for pair in between}
        if -1 in bonds:
            return -np.inf
        if 1 in bonds:
            return np.inf
        total = rules.prior
        for comparison, conflict in enumerate(rules.conflict_weights):
            known = [case.bits.get(pair, (0.0, 0.0))[comparison] for pair in between]
            factors = [2.0 ** max(bits, -8.0) for bits in known if bits != 0.0]
            bits = log2(sum(factors) / len(factors)) if factors else 0.0
            if bits < -1.0:
                bits -= conflict
            if bits < 0:
                growth = rules.contradiction_growth * log2(min(len(a), len(b)))
                bits *= 1.0 + growth
            total += bits
        return total

    while True:
        scored = [(weight(a, b), -i, -j) for (i, a), (j, b) in combinations(enumerate(groups), 2)]
        best = max(scored, default=(-np.inf, 0, 0))
        if best[0] < rules.cut:
            return sorted(groups)
        i, j = -best[1], -best[2]
        groups[i] = sorted(groups[i] + groups.pop(j))


@st.composite
def cases(draw: st.DrawFn, *, bonded: bool = True) -> Case:
    size = draw(st.integers(2, 7))
    pairs = list(combinations(range(size), 2))
    # Distinct weights: among ties the numbers of the records decide.
    values = iter(draw(st.permutations((np.linspace(-12, 14, 60) + 0.01).tolist())))
    known = st.tuples(st.booleans(), st.booleans())
    bits = {pair: tuple(next(values) if seen else 0.0 for seen in draw(known)) for pair in pairs}
    bond = st.sampled_from([0, 0, 0, 0, 1, -1] if bonded else [0])
    return Case(size, bits, {pair: draw(bond) for pair in pairs})  # type: ignore[arg-type]


@given(cases())
def test_groups_are_those_of_the_slow_implementation(case: Case) -> None:
    assert case.group()[0] == slow_groups(case, RULES)


@given(cases(bonded=False), st.integers(1, 4), st.randoms(use_true_random=False))
def test_no_group_exceeds_the_bound_and_the_order_of_records_plays_no_part(
    case: Case, most: int, chance
) -> None:
    rules = replace(RULES, max_records=most)
    found, raised = case.group(rules)
    assert max(map(len, found)) <= most
    order = list(range(case.records))
    chance.shuffle(order)
    again, _ = case.renumbered(order).group(rules)
    assert again == sorted(sorted(order[n] for n in group) for group in found)
    if max(map(len, case.group()[0])) <= most:
        assert not any(raised)


@given(st.lists(cases(), min_size=1, max_size=3))
def test_a_component_is_answered_for_by_its_own_records_alone(parts: list[Case]) -> None:
    whole, components, expected, at = Case(0, {}), [], [], 0
    for part in parts:
        whole.bits |= {(a + at, b + at): bits for (a, b), bits in part.bits.items()}
        whole.bonds |= {(a + at, b + at): bond for (a, b), bond in part.bonds.items()}
        components.append(list(range(at, at + part.records)))
        expected += [[n + at for n in group] for group in part.group()[0]]
        at += part.records
    whole.records, whole.components = at, components
    assert whole.group()[0] == sorted(expected)


def test_a_chain_whose_ends_contradict_is_cut() -> None:
    case = Case(3, {(0, 1): (10, 0), (1, 2): (8, 0), (0, 2): (0, -8)})
    assert case.group()[0] == [[0, 1], [2]]


def test_values_that_different_records_know_join_what_no_single_pair_would() -> None:
    # Record 2 shares something else with each of two records that are one person: 3 + 3 - 4 bits in all.
    case = Case(3, {(0, 1): (9, 0), (0, 2): (3, 0), (1, 2): (0, 3)})
    assert case.group()[0] == [[0, 1, 2]]
    assert Case(2, {(0, 1): (3, 0)}).group()[0] == [[0], [1]]


def test_the_cut_is_inclusive() -> None:
    assert Case(2, {(0, 1): (4.0, 0)}).group()[0] == [[0, 1]]
    assert Case(2, {(0, 1): (3.99, 0)}).group()[0] == [[0], [1]]


def test_decisions_go_before_the_evidence_and_apart_before_together() -> None:
    unlike = dict.fromkeys(combinations(range(3), 2), (-8.0, -8.0))
    assert Case(3, unlike, {(0, 2): 1}).group()[0] == [[0, 2], [1]]
    alike = dict.fromkeys(combinations(range(3), 2), (20.0, 20.0))
    assert Case(3, alike, {(0, 2): -1}).group()[0] in ([[0, 1], [2]], [[0], [1, 2]])
    both = {(0, 1): 1, (0, 2): -1}
    assert Case(3, alike, both).group()[0] == [[0, 1], [2]]


def test_the_guard_raises_the_cut_until_groups_are_small_enough() -> None:
    weak = dict.fromkeys([(0, 2), (0, 3), (1, 2), (1, 3)], (7.0, 0.0))
    case = Case(4, {(0, 1): (20.0, 0.0), (2, 3): (20.0, 0.0)} | weak)
    assert case.group() == ([[0, 1, 2, 3]], [False] * 4)
    assert case.group(replace(RULES, max_records=2)) == ([[0, 1], [2, 3]], [True] * 4)


@pytest.mark.parametrize("bond", [0, 1])
def test_a_group_that_nothing_can_cut_falls_into_single_records(bond: int) -> None:
    pairs = list(combinations(range(5), 2))
    case = Case(5, dict.fromkeys(pairs, (150.0, 0.0)), dict.fromkeys(pairs, bond))
    assert case.group(replace(RULES, max_records=3)) == ([[n] for n in range(5)], [True] * 5)


def test_the_smaller_group_makes_a_contradiction_count_more() -> None:
    """Two records against two of another birth date: the same mean as one against one, but 1.5 times the doubt."""
    agree = dict.fromkeys([(0, 1), (2, 3)], (30.0, 0.0))
    between = dict.fromkeys([(0, 2), (0, 3), (1, 2), (1, 3)], (14.0, -2.0))
    kind = replace(RULES, conflict_weights=(0.0, 4.0), contradiction_growth=0.0)
    case = Case(4, agree | between)
    assert case.group(kind)[0] == [[0, 1, 2, 3]]
    assert case.group(replace(kind, contradiction_growth=1.0))[0] == [[0, 1], [2, 3]]
    assert Case(2, {(0, 1): (14.0, -2.0)}).group(replace(kind, contradiction_growth=1.0))[0] == [
        [0, 1]
    ]
