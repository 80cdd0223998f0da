"""Models in which the future of a living customer depends on (frequency, T) alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial

import numpy as np

from clvspark.clv.models.summary import FloatArray, distinct_rows
from clvspark.clv.models.transactions import TransactionModel


class MemorylessModel(TransactionModel):
    """Purchases without memory: expectations are P(alive) times those of the living.

    Those of the living are computed once for each distinct (frequency, T), of which there are far
    fewer than customers.
    """

    def _expected_purchases(
        self, x: FloatArray, t_x: FloatArray, age: FloatArray, t: float
    ) -> FloatArray:
        def future(model: MemorylessModel, n: FloatArray, at: FloatArray) -> FloatArray:
            return model._purchases_if_alive(n, at, t)

        return self._probability_alive(x, t_x, age) * self._of_the_living(future, x, age)

    def _discounted_purchases(
        self, x: FloatArray, t_x: FloatArray, age: FloatArray, delta: float, horizon: float
    ) -> FloatArray:
        def future(model: MemorylessModel, n: FloatArray, at: FloatArray) -> FloatArray:
            return model._discounted_if_alive(n, at, delta, horizon)

        return self._probability_alive(x, t_x, age) * self._of_the_living(future, x, age)

    def _of_the_living(
        self, future: Callable[..., FloatArray], x: FloatArray, age: FloatArray
    ) -> FloatArray:
        """Evaluate `future(model, x, T)` once for rows that are equal in all it depends on."""
        return by_pair(partial(future, self), x, age)

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
    first, where = distinct_rows(x, age)
    return function(x[first], age[first])[where]
