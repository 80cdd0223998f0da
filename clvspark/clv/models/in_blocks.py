"""A likelihood is a sum over customers, so blocks of them are summed side by side, one thread a core.

Rows are cut at fixed places and blocks are added up in their order: the sum is the same on any number of cores. Blocks
keep what is worked out between in the processor's cache, and NumPy lets other threads run while it counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from clvspark.clv.models.summary import FloatArray, Groups

BLOCK_ROWS = 4_096

Sum = tuple[float, FloatArray]
"""A sum of log-likelihoods, and its gradient."""


def sum_in_blocks(groups: Groups) -> Callable[[Callable[[Groups], Sum]], Sum]:
    """What adds up `part` over the blocks of `groups`; warnings of NumPy about overflows are off within it."""
    blocks = [
        groups.between(first, first + BLOCK_ROWS) for first in range(0, len(groups), BLOCK_ROWS)
    ]

    def total(part: Callable[[Groups], Sum]) -> Sum:
        def quietly(block: Groups) -> Sum:
            # Of a thread: NumPy's settings are those of the thread that counts.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                return part(block)

        return _add_up(_map(quietly, blocks))

    return total


def _map(function: Callable[[Groups], Sum], blocks: Sequence[Groups]) -> Sequence[Sum]:
    if len(blocks) == 1:
        return [function(blocks[0])]
    return list(_threads().map(function, blocks))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="likelihood")


def _add_up(parts: Sequence[Sum]) -> Sum:
    values, gradients = zip(*parts, strict=True)
    return sum(values), np.sum(gradients, axis=0)
