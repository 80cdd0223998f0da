"""Sizes from samples: how sure they are, and whose turn it is."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvspark.audiences.estimate import infer_size
from clvspark.audiences.rules import AudienceDefinition
from clvspark.audiences.schedule import LastTurn, list_resting


def test_a_tenth_of_a_thousand_read() -> None:
    """p = .3, n = 100 of N = 1000: s.e. = N sqrt(p (1 - p) / (n - 1) (1 - n / N))."""
    found = infer_size("a", 30, 100, 1000)
    assert (found.estimated_size, found.state) == (300, "sampled")
    assert found.standard_error == pytest.approx(1000 * (0.21 / 99 * 0.9) ** 0.5)
    low, high = found.confidence_interval
    assert low < 300 - found.standard_error < 300 + found.standard_error < high


def test_nobody_found_is_not_nobody_there() -> None:
    assert infer_size("a", 0, 100, 1000).confidence_interval[1] > 10
    assert infer_size("a", 0, 0, 1000).confidence_interval == (0, 1000)
    assert infer_size("a", 7, 10, 10).confidence_interval == (7, 7)


@given(st.integers(1, 500), st.data())
def test_an_interval_holds_what_was_seen(total: int, data: st.DataObject) -> None:
    read = data.draw(st.integers(1, total))
    matched = data.draw(st.integers(0, read))
    low, high = infer_size("a", matched, read, total).confidence_interval
    assert matched <= low <= high <= total - (read - matched)


@pytest.mark.parametrize(
    ("schedule", "last", "rests"),
    [
        ("every_run", date(2026, 3, 9), False),
        ("weekly", date(2026, 3, 9), True),
        ("weekly", date(2026, 3, 3), False),
        ("monthly", date(2026, 3, 1), True),
        ("monthly", date(2026, 2, 28), False),
    ],
)
def test_turns(schedule: str, last: date, rests: bool) -> None:
    rule = {"id": "a", "name": "A", "schedule": schedule, "include": {"stage": {"any_of": ["new"]}}}
    definition = AudienceDefinition.model_validate(rule)
    day = date(2026, 3, 10)
    assert bool(list_resting([definition], {"a": LastTurn(1, last)}, as_of=day)) == rests
    assert not list_resting([definition], {"a": LastTurn(0, day - timedelta(days=1))}, as_of=day)
    assert not list_resting([definition], {}, as_of=day)
