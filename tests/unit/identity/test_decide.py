"""Decisions must all be true together: same is passed on, different is not."""

from __future__ import annotations

import pytest

from clvspark.identity.review.decide import Decision, refuse_contradiction
from clvspark.lakehouse.errors import ContractError

SAME = [
    Decision("till:ann", "till:bob", "same", "2026-01-02 10:00:00"),
    Decision("till:bob", "till:cid", "same", "2026-01-03 10:00:00"),
]
APART = Decision("till:ann", "till:cid", "different", "2026-01-04 10:00:00.25")


def test_what_agrees_is_taken() -> None:
    refuse_contradiction([], Decision("till:ann", "till:bob", "same"))
    refuse_contradiction(SAME, Decision("till:cid", "till:dan", "different"))
    refuse_contradiction(SAME, Decision("till:ann", "till:cid", "same"))
    refuse_contradiction(SAME, Decision("till:ann", "till:bob", "same"))


@pytest.mark.parametrize(
    ("known", "new", "who"),
    [
        (SAME, APART._replace(decided_at=""), "These two would be different"),
        (
            [APART, SAME[0]],
            SAME[1]._replace(decided_at=""),
            "Two records of decided_at 2026-01-04 10:00:00.25 (UTC) would be different",
        ),
        ([APART], APART._replace(verdict="same", decided_at=""), "these two are different"),
        (SAME, SAME[0]._replace(verdict="different", decided_at=""), "these two are same"),
    ],
)
def test_what_contradicts_is_refused_by_when_it_was_decided_without_an_id(
    known: list[Decision], new: Decision, who: str
) -> None:
    with pytest.raises(ContractError, match="--remove") as refused:
        refuse_contradiction(known, new)
    assert who in str(refused.value)
    assert "till:" not in str(refused.value)
