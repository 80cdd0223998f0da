"""Independent pieces of work of one stage, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pyspark.sql import DataFrame

AT_ONCE = 4
In = TypeVar("In")
Out = TypeVar("Out")


def side_by_side(work: Callable[[In], Out], items: Iterable[In]) -> list[Out]:
    """Results of `work` on each item, in the order of the items; a few are worked on at a time.

    Small Spark jobs wait for the driver more than for the cores, and each is planned by one thread. All end before
    the first error, in the order of the items, is raised.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(work, item) for item in items]
    return [future.result() for future in futures]


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

    Even then each is planned, and what its joins broadcast is computed, before the call returns.
    """
    return side_by_side(lambda df: df.localCheckpoint(eager=eager), frames)
