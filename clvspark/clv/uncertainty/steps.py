"""Many cumulative distributions side by side, each of its own length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clvspark.clv.models.summary import FloatArray

IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Mixtures:
    """A cumulative distribution of each customer, mixed from those of the stages of a table.

    `cumulative` (stage x value) holds the tables one after the other, each rising; `start` and `length` say where
    that of each customer is, `share` (stage x customer) how the customer mixes its stages.
    """

    cumulative: FloatArray
    start: IntArray
    length: IntArray
    share: FloatArray

    @classmethod
    def stack(
        cls, rows: IntArray, blocks: Sequence[FloatArray], group: IntArray, share: FloatArray
    ) -> Mixtures:
        """Blocks (stage x table x value) of tables of equal length.

        `rows` says which table each row of the blocks is, `group` which table each customer has.
        """
        # Where there are no customers at all, there is no table.
        blocks = [*blocks, np.empty((len(share), 0, 1))]
        lengths = np.concatenate([np.full(b.shape[1], b.shape[2], dtype=np.intp) for b in blocks])
        begins = np.cumsum(lengths) - lengths
        start, length = np.empty_like(begins), np.empty_like(lengths)
        start[rows], length[rows] = begins, lengths
        cells = [block.reshape(len(share), -1) for block in blocks]
        return cls(np.concatenate(cells, axis=1), start[group], length[group], share)

    def locate(self, level: FloatArray) -> IntArray:
        """How many values of each distribution lie below the customer's `level` (at most all but one).

        A bisection of all customers at once.
        """
        low, high = np.zeros(len(self.start), dtype=np.intp), self.length - 1
        while np.any(low < high):
            middle = (low + high) // 2
            below = self.at(middle) < level
            low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
        return low

    def at(self, position: IntArray) -> FloatArray:
        """Cumulative probability at a position of each distribution."""
        return np.asarray((self.share * self.cumulative[:, self.start + position]).sum(axis=0))

    def of_length(self, length: int) -> tuple[IntArray, FloatArray]:
        """Customers whose distributions have so many values, and these (customer x value)."""
        rows = np.flatnonzero(self.length == length)
        cells = self.start[rows, None] + np.arange(length)
        stages = zip(self.share[:, rows], self.cumulative, strict=True)
        found = sum((share[:, None] * stage[cells] for share, stage in stages), np.zeros(1))
        return rows, np.asarray(found)
