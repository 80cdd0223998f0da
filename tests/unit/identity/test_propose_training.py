"""Training rules are chosen so that EM sees every comparison."""

from __future__ import annotations

from typing import Any

from clvspark.identity.propose.rules import Rule, RuleCost
from clvspark.identity.propose.training import (
    choose_training,
    compared_columns,
    deterministic_candidates,
)
from clvspark.identity.settings import IdentitySettings

KINDS = {"first": "given_name", "last": "surname", "born": "birth_date", "mail": "email"}


def settings(kinds: dict[str, str] = KINDS) -> IdentitySettings:
    rule = [[next(iter(kinds))]]
    data: dict[str, Any] = {
        "attributes": [{"column": c, "kind": k} for c, k in kinds.items()],
        "blocking_rules": rule,
        "training": {"deterministic_rules": rule, "em_rules": rule},
    }
    return IdentitySettings.model_validate(data)


def cost(rule: Rule, pairs: int, **known: int) -> RuleCost:
    return RuleCost(rule, pairs, pairs, 0, dict.fromkeys(KINDS, pairs) | known)


def test_every_comparison_is_seen_by_a_rule_that_does_not_block_on_it() -> None:
    pairs = {("mail",): 900, ("first", "last"): 5000, ("last", "born"): 700, ("first", "born"): 800}
    costs = [cost(rule, number) for rule, number in pairs.items()]
    training, untrained = choose_training(settings(), costs, records=10_000)
    assert untrained == []
    for columns in compared_columns(settings()).values():
        assert any(not columns & set(rule) for rule in training.em_rules)


def test_a_comparison_that_no_rule_sees_is_named() -> None:
    blind = [cost(("mail",), 900, born=10), cost(("last", "first"), 700, born=10)]
    assert choose_training(settings(), blind, records=10_000)[1] == ["born"]


def test_a_rule_counts_by_the_pairs_that_the_sample_holds() -> None:
    costs = [cost(("mail",), 900), cost(("last", "born"), 700)]
    assert choose_training(settings(), costs, records=100_000)[1] == []
    assert choose_training(settings(), costs, records=1_000_000)[1] == ["born"]


def test_deterministic_rules_are_those_that_meet_a_pair() -> None:
    wanted = deterministic_candidates(settings().attributes)
    assert wanted == [("mail", "first"), ("first", "last", "born")]
    costs = [cost(("mail",), 900), cost(("mail", "first"), 5), cost(("first", "last", "born"), 0)]
    training, _ = choose_training(settings(), costs, records=100)
    assert training.deterministic_rules == [["mail", "first"]]


def test_a_comparison_looks_at_all_columns_of_its_levels() -> None:
    found = compared_columns(settings())
    assert found["first"] == {"first", "last"}
    assert found["born"] == {"born"}
    assert found["mail"] == {"mail"}


def test_a_rule_on_whole_names_does_not_see_their_parts() -> None:
    kinds = KINDS | {"name": "full_name"}
    costs = [cost(("name",), 300, name=300), cost(("mail",), 900, name=900)]
    training, untrained = choose_training(settings(kinds), costs, records=100)
    assert training.em_rules == [["mail"], ["name"]]
    assert untrained == []
    assert choose_training(settings(kinds), costs[:1], records=100)[1] == ["first"]
