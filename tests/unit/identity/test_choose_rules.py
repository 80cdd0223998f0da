"""Blocking rules are chosen by what they find for their pairs, within a budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvspark.identity.propose.rules import (
    Rule,
    RuleCost,
    RuleCosts,
    candidate_rules,
    choose_rules,
    implied_by,
)
from clvspark.identity.settings import Attribute, IdentitySettings

COLUMNS = {
    "mail": "email",
    "first": "given_name",
    "last": "surname",
    "born": "birth_date",
    "zip": "postcode",
}
ATTRIBUTES = [Attribute(column=c, kind=k) for c, k in COLUMNS.items()]  # type: ignore[call-arg, arg-type]
SETTINGS = IdentitySettings.model_validate(
    {
        "attributes": [{"column": c, "kind": k} for c, k in COLUMNS.items()],
        "blocking_rules": [["mail"]],
        "training": {"deterministic_rules": [["mail"]], "em_rules": [["mail"]]},
    }
)


def counted(rules: dict[Rule, tuple[int, str]]) -> RuleCosts:
    """Rules with their pairs and the records (letters) that they find; 10 records stand behind each letter."""
    letters = sorted({letter for _, found in rules.values() for letter in found})
    patterns = [
        sum(1 << n for n, (_, found) in enumerate(rules.values()) if letter in found)
        for letter in letters
    ]
    costs = [RuleCost(rule, pairs, 10 * len(found), 0, {}) for rule, (pairs, found) in rules.items()]  # fmt: skip
    return RuleCosts(costs, np.array(patterns, np.int64), np.full(len(letters), 10))


def chosen(rules: dict[Rule, tuple[int, str]], budget: int) -> list[Rule]:
    return [cost.rule for cost in choose_rules(counted(rules), SETTINGS, pair_budget=budget)]


def test_candidates_are_made_of_what_there_is() -> None:
    rules = candidate_rules(ATTRIBUTES)
    assert ("mail",) in rules
    assert ("last", "born") in rules
    assert ("first_forms", "last", "zip_area") in rules
    known = set(SETTINGS.columns)
    assert all(set(rule) <= known for rule in rules)
    assert len(set(rules)) == len(rules)
    assert candidate_rules(ATTRIBUTES[:1]) == [("mail",)]


def test_the_rule_that_finds_most_for_its_pairs_comes_first_and_the_budget_holds() -> None:
    rules = {("mail",): (10, "abc"), ("last", "born"): (30, "abcd"), ("last", "zip"): (1000, "abcde")}  # fmt: skip
    assert chosen(rules, 2000) == [("mail",), ("last", "born"), ("last", "zip")]
    assert chosen(rules, 50) == [("mail",), ("last", "born")]
    assert chosen(rules, 5) == []


def test_a_rule_gives_way_to_one_that_makes_its_pairs_too() -> None:
    rules = {("last", "born"): (10, "ab"), ("last_start", "born"): (40, "abcd")}
    assert chosen(rules, 100) == [("last_start", "born")]
    assert chosen(rules, 20) == [("last", "born")]


@pytest.mark.parametrize(
    ("narrow", "wide", "expected"),
    [
        (("last", "born"), ("last",), True),
        (("last", "born"), ("last_start", "born_year"), True),
        (("first", "last", "zip"), ("first_forms", "last", "zip_area"), True),
        (("last_start", "born"), ("last", "born"), False),
        (("last",), ("last", "born"), False),
    ],
)
def test_pairs_of_a_narrow_rule_are_pairs_of_a_wider_one(
    narrow: Rule, wide: Rule, expected: bool
) -> None:
    assert implied_by(SETTINGS)(narrow, wide) is expected


RULES: list[Rule] = [
    ("mail",),
    ("last", "born"),
    ("last_start", "born"),
    ("first", "zip"),
    ("last", "zip"),
]
FOUND = st.sets(st.sampled_from("abcdef")).map(lambda letters: "".join(sorted(letters)))
COSTS = st.tuples(st.integers(0, 200), FOUND)


@given(st.lists(COSTS, min_size=5, max_size=5), st.integers(1, 400))
def test_no_choice_exceeds_the_budget_or_holds_a_rule_twice(
    costs: list[tuple[int, str]], budget: int
) -> None:
    rules: dict[Rule, Any] = dict(zip(RULES, costs, strict=True))
    picked = chosen(rules, budget)
    assert sum(rules[rule][0] for rule in picked) <= budget
    within = implied_by(SETTINGS)
    assert not any(within(a, b) for a in picked for b in picked if a != b)
    affordable = [r for r, (pairs, found) in rules.items() if found and 0 < pairs <= budget]
    assert bool(picked) == bool(affordable)
