"""Independent pieces of work of one stage, side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from pyspark.sql import DataFrame

from clvspark.lakehouse.runtime.gateway import cancel_jobs

AT_ONCE = 4
_SECONDS_BETWEEN_CANCELLATIONS = 0.5
# Set while an interrupted call waits for the work it has begun; pools within its pool see it as well.
_interrupted = threading.Event()
In = TypeVar("In")
Out = TypeVar("Out")


def side_by_side(work: Callable[[In], Out], items: Iterable[In]) -> list[Out]:
    """Results of `work` on each item, in the order of the items; a few are worked on at a time.

    Small Spark jobs wait for the driver more than for the cores, and each is planned by one thread. All end before
    the first error, in the order of the items, is raised. So do they at Ctrl-C: what has begun is ended, its Spark
    jobs are cancelled, nothing more is begun, and only then the interruption goes on, as locks are released then.
    """

    def begin(item: In) -> Out:
        if _interrupted.is_set():
            raise CancelledError
        return work(item)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(begin, item) for item in items]
        try:
            wait(futures)
        except KeyboardInterrupt:
            _end(futures)
            raise
    return [future.result() for future in futures]


def _end(futures: list[Future[Any]]) -> None:
    _interrupted.set()
    try:
        while wait(futures, _SECONDS_BETWEEN_CANCELLATIONS).not_done:
            cancel_jobs()
    finally:
        _interrupted.clear()


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
