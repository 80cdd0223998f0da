"""Many cumulative distributions side by side, each of its own length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clvspark.clv.models.summary import FloatArray

IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Distributions:
    """Cumulative probabilities, one run of rising values a distribution, one after the other."""

    cumulative: FloatArray
    start: IntArray
    length: IntArray

    @classmethod
    def stack(cls, rows: IntArray, blocks: Sequence[FloatArray]) -> Distributions:
        """Blocks of distributions of equal length; `rows` says which distribution each row is."""
        blocks = [*blocks, np.empty((0, 1))]  # where there are no customers at all
        lengths = np.concatenate([np.full(len(b), b.shape[1], dtype=np.intp) for b in blocks])
        begins = np.cumsum(lengths) - lengths
        start, length = np.empty_like(begins), np.empty_like(lengths)
        start[rows], length[rows] = begins, lengths
        return cls(np.concatenate([block.ravel() for block in blocks]), start, length)

    def locate(self, which: IntArray, level: FloatArray) -> IntArray:
        """How many values of distribution `which` lie below `level` (at most all but one).

        A bisection of all rows at once.
        """
        low, high = np.zeros(len(which), dtype=np.intp), self.length[which] - 1
        start = self.start[which]
        while np.any(low < high):
            middle = (low + high) // 2
            below = self.cumulative[start + middle] < level
            low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
        return low

    def at(self, which: IntArray, position: IntArray) -> FloatArray:
        """Cumulative probability at a position of each distribution."""
        return np.asarray(self.cumulative[self.start[which] + position])
