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
