"""Independent pieces of work of one stage, side by side."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from pyspark.sql import DataFrame

from clvspark.lakehouse.runtime.gateway import cancel_jobs

AT_ONCE = 4
_SECONDS_BETWEEN_CANCELLATIONS = 0.2
_SECONDS_UNTIL_INTERRUPTED = 0.5
# Set once the outermost call, in whose pool this thread works, is interrupted.
_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)
In = TypeVar("In")
Out = TypeVar("Out")


def side_by_side(
    work: Callable[[In], Out], items: Iterable[In], *, at_once: int = AT_ONCE
) -> list[Out]:
    """Results of `work` on each item, in the order of the items; a few (`at_once`) are worked on at a time.

    Small Spark jobs wait for the driver more than for the cores, and each is planned by one thread. All end before
    the first error, in the order of the items, is raised. So do they at Ctrl-C: what has begun is ended, Spark's jobs
    are cancelled, nothing more is begun, and only then the interruption goes on, as locks are released then.
    """
    stop = _stop.get() or threading.Event()
    begun: list[In] = []
    ended: list[In] = []

    def begin(item: In) -> Out:
        begun.append(item)
        try:
            if stop.is_set():
                raise CancelledError
            _stop.set(stop)  # for calls within this one; the thread ends with its pool
            return work(item)
        finally:
            ended.append(item)

    with ThreadPoolExecutor(at_once) as pool:
        try:
            futures = [pool.submit(begin, item) for item in items]
            for future in futures:
                _wait_for(future)
        except KeyboardInterrupt:
            stop.set()
            # What has begun is not told by the futures: a thread may start while `submit` is interrupted.
            _wait_for_end(lambda: len(ended) < len(begun))
            raise
    return [future.result() for future in futures]


def _wait_for(future: Future[Any]) -> None:
    """Wait until the future is done, and be interrupted soon.

    A signal that comes just before a wait without an end does not end it: Python only notes it, and the interruption
    would be raised after the wait. `concurrent.futures.wait` holds the locks of all futures for a moment, which an
    interruption would leave closed.
    """
    while not future.done():
        with suppress(TimeoutError):
            future.exception(timeout=_SECONDS_UNTIL_INTERRUPTED)


def _wait_for_end(is_working: Callable[[], bool]) -> None:
    """Cancel jobs until all that has begun has ended; Ctrl-C is ignored until then, as it could strike anywhere.

    Another thread calls the JVM: of the call that was interrupted the answer may be half read.
    """

    def cancel() -> None:
        while is_working():
            cancel_jobs()
            time.sleep(_SECONDS_BETWEEN_CANCELLATIONS)

    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        canceller = threading.Thread(target=cancel, daemon=True)
        canceller.start()
        canceller.join()
    finally:
        signal.signal(signal.SIGINT, handler)


def by_key(work: Callable[[In], Out], keys: Iterable[In]) -> dict[In, Out]:
    """Results of `work` on each key, side by side, by key in their order."""
    names = list(keys)
    return dict(zip(names, side_by_side(work, names), strict=True))


def all_of(first: Callable[[], Out], /, *rest: Callable[[], Any]) -> tuple[Out, *tuple[Any, ...]]:
    """Results of calls without arguments, side by side, in their order."""
    one, *others = side_by_side(lambda call: call(), [first, *rest])
    return (one, *others)


def keep_all(*frames: DataFrame, eager: bool = True) -> list[DataFrame]:
    """The frames, kept in memory: from now on, or from their first use (not `eager`).

    Even then each is planned before the call returns, and what its joins broadcast is computed, with adaptive
    execution also what it shuffles.
    """
    return side_by_side(lambda df: df.localCheckpoint(eager=eager), frames)
