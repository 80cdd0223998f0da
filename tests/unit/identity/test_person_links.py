"""Links inside a person: bridges, the weakest one, and what the verdict on a pair says."""

from __future__ import annotations

import pytest

from clvspark.identity.explain.pair import Bond, judge
from clvspark.identity.explain.person import CERTAIN, find_links, weakest_link
from clvspark.identity.explain.records import PairEvidence
from clvspark.identity.settings import IdentitySettings

SETTINGS = IdentitySettings.model_validate({"attributes": [], "link_weight": 2, "cut_weight": 1})


def scored(left: str, right: str, weight: float) -> PairEvidence:
    return PairEvidence(left, right, -10.0, weight, 0.5, [], {})


PAIRS = [
    scored("a", "b", 9.0), scored("a", "c", 5.0), scored("b", "c", 7.0), scored("c", "d", 6.0),
    scored("b", "d", -3.0),
]  # fmt: skip


def test_a_link_without_which_the_person_falls_apart_is_a_bridge() -> None:
    links = find_links(list("abcd"), PAIRS, 2.0, certain=set(), blocked={("a", "b")})
    assert [(k.left + k.right, k.is_bridge) for k in links] == [
        ("ab", False), ("bc", False), ("cd", True), ("ac", False),
    ]  # fmt: skip
    assert [k.is_blocked for k in links] == [True, False, False, False]


def test_the_weakest_link_is_the_one_at_which_records_part_first() -> None:
    links = find_links(list("abcd"), PAIRS, 2.0, certain=set(), blocked=set())
    weakest = weakest_link(list("abcd"), links)
    # a-c has less, but a and c hold together through b.
    assert weakest is not None
    assert (weakest.left, weakest.right, weakest.weight) == ("c", "d", 6.0)
    sure = find_links(list("abcd"), PAIRS, 2.0, certain={("c", "d")}, blocked=set())
    weakest = weakest_link(list("abcd"), sure)
    assert sure[0].weight == CERTAIN
    assert weakest is not None
    assert weakest.weight == 7.0
    assert weakest_link(["a"], []) is None


@pytest.mark.parametrize(
    ("persons", "weight", "bonds", "blocked", "words"),
    [
        (("p", "p"), 3.0, [], True, "hold together by themselves"),
        (("p", "p"), -3.0, [], False, "Other records of the person"),
        (("p", "q"), -3.0, [], False, "no other records bring them together"),
        (("p", "q"), 3.0, [], False, "no blocking rule"),
        (("p", "q"), 3.0, [], True, "groups of records around them"),
        (("p", "q"), 30.0, [Bond("They differ.", joins=False)], True, "counts most: They differ."),
        (
            ("p", "q"),
            30.0,
            [Bond("A card.", joins=True)],
            True,
            "A card. But decisions about other records",
        ),
        (
            ("p", "p"),
            30.0,
            [Bond("They differ.", joins=False)],
            True,
            "identifiers, hold them together.",
        ),
        (("p", None), 3.0, [], True, "Next step: clvspark resolve"),
        (("p", "p"), None, [], False, "Nothing is compared"),
    ],
)
def test_the_verdict_gives_the_reason(
    persons: tuple[str | None, str | None],
    weight: float | None,
    bonds: list[Bond],
    blocked: bool,
    words: str,
) -> None:
    said = judge(persons, weight, SETTINGS, bonds=bonds, is_blocked=blocked)
    assert words in " ".join(said)
