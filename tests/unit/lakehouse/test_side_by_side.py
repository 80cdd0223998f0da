"""Work side by side ends before the next step begins, also at Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from clvspark.lakehouse import side_by_side as module
from clvspark.lakehouse.side_by_side import AT_ONCE, side_by_side

ITEMS = range(2 * AT_ONCE)
SECONDS = 20


def interrupt() -> None:
    """What Ctrl-C does at its worst: the thread that is to be interrupted is about to wait and is not woken."""
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C interrupts, whatever a test before has made of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_results_are_in_the_order_of_the_items() -> None:
    ended = [threading.Event() for _ in range(AT_ONCE)]

    def work(item: int) -> int:
        if item + 1 < AT_ONCE:
            assert ended[item + 1].wait(SECONDS)
        ended[item].set()
        return item

    assert side_by_side(work, range(AT_ONCE)) == list(range(AT_ONCE))


def test_all_end_before_the_first_error_is_raised() -> None:
    ended, failed = [], threading.Event()

    def work(item: int) -> None:
        if item == 0:
            failed.set()
            raise ValueError("first")
        failed.wait(SECONDS)
        ended.append(item)

    with pytest.raises(ValueError, match="first"):
        side_by_side(work, ITEMS)
    assert sorted(ended) == list(ITEMS)[1:]


@pytest.mark.parametrize("more", [0, 2])
def test_what_has_begun_ends_and_nothing_else_begins_however_often_one_interrupts(
    monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    """Cancelling Spark's jobs is what ends the work here; before that Ctrl-C comes `more` times."""
    begun, ended, impatient = [], [], [interrupt] * more
    full, cancelled = threading.Barrier(AT_ONCE), threading.Event()

    def cancel_jobs() -> None:
        if impatient:
            impatient.pop()()
        else:
            cancelled.set()

    def work(item: int) -> None:
        begun.append(item)
        if full.wait(SECONDS) == 0:
            interrupt()
        assert cancelled.wait(SECONDS)
        ended.append(item)

    monkeypatch.setattr(module, "cancel_jobs", cancel_jobs)
    with pytest.raises(KeyboardInterrupt):
        side_by_side(lambda _: side_by_side(work, ITEMS), [0])
    assert sorted(ended) == sorted(begun)
    assert len(begun) == AT_ONCE
    assert not impatient


def test_a_thread_that_starts_while_its_item_is_handed_over_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, ended, start = threading.Event(), [], threading.Thread.start

    def start_and_interrupt(thread: threading.Thread) -> None:
        start(thread)
        if thread.name.startswith("ThreadPool"):
            assert begun.wait(SECONDS)
            raise KeyboardInterrupt

    def work(item: int) -> None:
        begun.set()
        assert cancelled.wait(SECONDS)
        ended.append(item)

    cancelled = threading.Event()
    monkeypatch.setattr(module, "cancel_jobs", cancelled.set)
    monkeypatch.setattr(threading.Thread, "start", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        side_by_side(work, ITEMS)
    assert ended == [0]
