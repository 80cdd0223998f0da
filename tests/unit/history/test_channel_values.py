"""What channels are worth: chains and games small enough to be solved by hand, and by going through all subsets."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise
from math import factorial
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvspark.history.attribution.channels import (
    CONVERSION,
    MOST_CHANNELS,
    NULL,
    START,
    removal_effects,
    shapley_values,
)
from clvspark.history.attribution.config import AttributionConfig, Method
from clvspark.history.tables import ATTRIBUTION_METHODS
from clvspark.lakehouse.errors import ContractError


def transitions(paths: list[tuple[str, bool]]) -> list[tuple[str, str, int]]:
    """Transitions of paths, each a text of one-letter channels, and whether it ended with an order."""
    steps: Counter[tuple[str, str]] = Counter()
    for channels, converted in paths:
        states = [START, *channels, CONVERSION if converted else NULL]
        steps.update(pairwise(states))
    return [(origin, target, count) for (origin, target), count in steps.items()]


def coalitions(orders: list[str]) -> list[tuple[str, int, int]]:
    counts = Counter((channel, len(set(path))) for path in orders for channel in set(path))
    return [(channel, size, count) for (channel, size), count in counts.items()]


def test_removal_effects_of_a_chain_that_is_solved_by_hand() -> None:
    # From the start always A; from A to B 2/3, to an order 1/3; from B to an order 1/2, to nothing 1/2.
    # P = 1/3 + 2/3 x 1/2 = 2/3. Without A nothing is left; without B 1/3, half of it.
    found = removal_effects(transitions([("AB", True), ("A", True), ("AB", False)]))
    assert found == pytest.approx({"A": 1.0, "B": 0.5})


def test_a_channel_that_follows_itself_is_solved_too() -> None:
    # A follows itself once in 3, then an order 1/3, else nothing: P(A) = 1/3 P(A) + 1/3, so 1/2.
    # Start: A 2/3, B 1/3, and B always gives an order: P = 2/3 x 1/2 + 1/3 = 2/3.
    found = removal_effects(transitions([("AA", True), ("A", False), ("B", True)]))
    assert found == pytest.approx({"A": 0.5, "B": 0.5})


def test_paths_without_an_order_lower_the_effect_of_their_channel() -> None:
    sold = [("A", True), ("B", True)]
    assert removal_effects(transitions(sold)) == pytest.approx({"A": 0.5, "B": 0.5})
    # A: once in 3 an order. P = 3/4 x 1/3 + 1/4 = 1/2 of 4 paths; each is half of it, however often A fails ...
    failing = [*sold, ("A", False), ("A", False)]
    assert removal_effects(transitions(failing)) == pytest.approx({"A": 0.5, "B": 0.5})
    # ... unless B leads to A: who goes on to A is lost to B.
    # B: 1/2 an order, 1/2 A; A: 1/4 an order. P = 3/5 x 1/4 + 2/5 x (1/2 + 1/2 x 1/4) = 0.4; without A 0.2.
    led_on = [*failing, ("BA", False)]
    assert removal_effects(transitions(led_on)) == pytest.approx({"A": 0.5, "B": 0.625})


def test_nothing_is_lost_where_nothing_was_bought() -> None:
    assert removal_effects(transitions([("AB", False)])) == {"A": 0.0, "B": 0.0}
    assert removal_effects([]) == {}
    assert shapley_values([]) == {}


def test_shapley_values_of_a_game_that_is_solved_by_hand() -> None:
    # v(A) = 1, v(B) = 1, v(AB) = 4: A and B are worth 1 and half of what only both bring, 1 each.
    assert shapley_values(coalitions(["A", "B", "AB", "BA"])) == {"A": 2.0, "B": 2.0}
    assert shapley_values(coalitions(["A", "ABC"])) == pytest.approx(
        {"A": 4 / 3, "B": 1 / 3, "C": 1 / 3}
    )


def value_by_definition(channel: str, orders: list[str]) -> float:
    """Shapley 1953: the mean of what the channel adds to the sets of the others, weighed by their size."""
    players = sorted(set("".join(orders)))
    others = [player for player in players if player != channel]

    def worth(players: set[str]) -> int:
        return sum(set(path) <= players for path in orders)

    total = 0.0
    for size in range(len(others) + 1):
        weight = factorial(size) * factorial(len(others) - size) / factorial(len(players))
        for chosen in combinations(others, size):
            total += weight * (worth({*chosen, channel}) - worth(set(chosen)))
    return total


texts = st.text(alphabet="ABCDE", min_size=1, max_size=6)


@given(st.lists(texts, min_size=1, max_size=12))
def test_shapley_values_are_those_of_the_definition(orders: list[str]) -> None:
    found = shapley_values(coalitions(orders))
    expected = {channel: value_by_definition(channel, orders) for channel in set("".join(orders))}
    assert found == pytest.approx(expected)
    assert sum(found.values()) == pytest.approx(len(orders))


def chance_by_walking(paths: list[tuple[str, bool]], without: str = "") -> float:
    """Probability of an order after very many steps, the chance of each state moved on step by step."""
    moves = transitions(paths)
    totals: Counter[str] = Counter()
    for origin, _, count in moves:
        totals[origin] += count
    at, bought = {START: 1.0}, 0.0
    for _ in range(400):
        now: Counter[str] = Counter()
        for origin, target, count in moves:
            chance = at.get(origin, 0.0) * count / totals[origin]
            if target == CONVERSION:
                bought += chance
            elif target not in (NULL, without):
                now[target] += chance
        at = dict(now)
    return bought


@given(st.lists(st.tuples(texts, st.booleans()), min_size=1, max_size=10))
def test_removal_effects_are_those_of_walking_the_chain(paths: list[tuple[str, bool]]) -> None:
    found = removal_effects(transitions(paths))
    whole = chance_by_walking(paths)
    for channel, effect in found.items():
        lost = 1 - chance_by_walking(paths, channel) / whole if whole else 0.0
        assert effect == pytest.approx(lost, abs=1e-6)


def test_more_channels_than_a_chain_may_have_are_refused() -> None:
    many = [(f"channel {n}", CONVERSION, 1) for n in range(MOST_CHANNELS + 1)]
    with pytest.raises(ContractError, match="more than 100 channels"):
        removal_effects(many)
    with pytest.raises(ContractError, match="leave markov and shapley out"):
        shapley_values((channel, 1, 1) for channel, *_ in many)


def test_the_table_allows_every_method_and_no_other() -> None:
    assert AttributionConfig().methods == list(ATTRIBUTION_METHODS)  # type: ignore[call-arg]
    assert get_args(Method) == ATTRIBUTION_METHODS


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"methods": []}, "at least 1 item"),
        ({"methods": ["last", "last"]}, "'methods' names last more than once"),
        ({"touchpoints": ["tv"]}, "tv is no type of interaction; a touchpoint is one of call, "),
        ({"touchpoints": ["order"]}, "order is no type of interaction"),
        ({"touchpoints": ["visit"]}, "visit is named as a touchpoint more than once"),
        ({"position": {"first": 0.6, "last": 0.5}}, "at most 1"),
        ({"position": {"first": 0, "last": 0}}, "must be above 0"),
        ({"window_days": 0}, "greater than or equal to 1"),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused(
    given: dict[str, object], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        AttributionConfig.model_validate(given)
