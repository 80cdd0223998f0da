"""Models in which the future of a living customer depends on (frequency, T) alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import numpy as np

from clvspark.clv.models.summary import FloatArray
from clvspark.clv.models.transactions import TransactionModel


class MemorylessModel(TransactionModel):
    """Purchases without memory: expectations are P(alive) times those of the living.

    Those of the living are computed once for each distinct (frequency, T), of which there are far
    fewer than customers.
    """

    def _expected_purchases(
        self, x: FloatArray, t_x: FloatArray, age: FloatArray, t: float
    ) -> FloatArray:
        future = by_pair(lambda n, at: self._purchases_if_alive(n, at, t), x, age)
        return self._probability_alive(x, t_x, age) * future

    def _discounted_purchases(
        self, x: FloatArray, t_x: FloatArray, age: FloatArray, delta: float, horizon: float
    ) -> FloatArray:
        future = by_pair(lambda n, at: self._discounted_if_alive(n, at, delta, horizon), x, age)
        return self._probability_alive(x, t_x, age) * future

    def future_purchase_counts(
        self, x: FloatArray, age: FloatArray, *, future_t: float, most: int
    ) -> FloatArray:
        """P(n purchases in (T, T + future_t] | x, T, alive at T), matrix (customer x 0..most).

        Times P(alive), plus 1 - P(alive) at n = 0, these are the purchases of any customer.
        """
        return self._counts_if_alive(x, age, future_t, most)

    @abstractmethod
    def _counts_if_alive(self, x: FloatArray, age: FloatArray, t: float, most: int) -> FloatArray:
        """P(n purchases in (T, T + t] | x, T, alive at T) for n = 0..most."""

    @abstractmethod
    def _purchases_if_alive(self, x: FloatArray, age: FloatArray, t: float) -> FloatArray:
        """E[purchases in (T, T + t] | x, T, alive at T]."""

    @abstractmethod
    def _discounted_if_alive(
        self, x: FloatArray, age: FloatArray, delta: float, horizon: float
    ) -> FloatArray:
        """Discounted expected purchases in (T, T + horizon], given alive at T."""


def by_pair(
    function: Callable[[FloatArray, FloatArray], FloatArray], x: FloatArray, age: FloatArray
) -> FloatArray:
    """Evaluate `function` once per distinct (x, T), and spread the values to the rows."""
    if len(x) == 0:
        return np.empty(0)
    order = np.lexsort((age, x))
    x_sorted, age_sorted = x[order], age[order]
    new = np.ones(len(x), dtype=bool)
    new[1:] = (x_sorted[1:] != x_sorted[:-1]) | (age_sorted[1:] != age_sorted[:-1])
    values = function(x_sorted[new], age_sorted[new])
    result = np.empty(len(x))
    result[order] = values[np.cumsum(new) - 1]
    return result
