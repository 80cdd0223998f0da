"""Work side by side ends before the next step begins, also at Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from clvspark.lakehouse.side_by_side import AT_ONCE, side_by_side

ITEMS = range(2 * AT_ONCE)


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C interrupts, whatever a test before has made of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_results_are_in_the_order_of_the_items() -> None:
    assert side_by_side(lambda n: time.sleep(0.01 * (8 - n)) or n, ITEMS) == list(ITEMS)


def test_all_end_before_the_first_error_is_raised() -> None:
    ended = []

    def work(item: int) -> None:
        if item == 0:
            raise ValueError("first")
        time.sleep(0.05)
        ended.append(item)

    with pytest.raises(ValueError, match="first"):
        side_by_side(work, ITEMS)
    assert sorted(ended) == list(ITEMS)[1:]


def test_after_an_interruption_what_has_begun_ends_and_nothing_else_begins() -> None:
    begun, ended = [], []
    full = threading.Barrier(AT_ONCE)

    def work(item: int) -> None:
        begun.append(item)
        if full.wait() == 0:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        ended.append(item)

    with pytest.raises(KeyboardInterrupt):
        side_by_side(lambda _: side_by_side(work, ITEMS), [0])
    assert sorted(ended) == sorted(begun)
    assert len(begun) == AT_ONCE
    assert side_by_side(lambda n: n, ITEMS) == list(ITEMS)  # the next call is its own
