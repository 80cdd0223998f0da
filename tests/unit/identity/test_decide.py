"""Decisions must all be true together: same is passed on, different is not."""

from __future__ import annotations

import pytest

from clvspark.identity.review.decide import Decision, refuse_contradiction
from clvspark.lakehouse.errors import ContractError

SAME = [Decision("a", "b", "same"), Decision("b", "c", "same")]


def test_what_agrees_is_taken() -> None:
    refuse_contradiction([], Decision("a", "b", "same"))
    refuse_contradiction(SAME, Decision("c", "d", "different"))
    refuse_contradiction(SAME, Decision("a", "c", "same"))
    refuse_contradiction(SAME, Decision("a", "b", "same"))


@pytest.mark.parametrize(
    ("known", "new"),
    [
        (SAME, Decision("a", "c", "different")),
        ([Decision("a", "c", "different"), SAME[0]], Decision("b", "c", "same")),
        ([Decision("a", "b", "different")], Decision("a", "b", "same")),
        (SAME, Decision("a", "b", "different")),
    ],
)
def test_what_contradicts_is_refused(known: list[Decision], new: Decision) -> None:
    with pytest.raises(ContractError, match="--remove"):
        refuse_contradiction(known, new)
