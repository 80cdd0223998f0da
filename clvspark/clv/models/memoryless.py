"""Models in which the future of a living customer depends on (frequency, T) alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np

from clvspark.clv.models.base import MAX_GROUPS
from clvspark.clv.models.fitting import Maximum, maximise
from clvspark.clv.models.future_counts import most_purchases
from clvspark.clv.models.pooling import NormalPrior
from clvspark.clv.models.summary import FloatArray, distinct_rows
from clvspark.clv.models.transactions import TransactionModel


class MemorylessModel(TransactionModel):
    """Purchases without memory: expectations are P(alive) times those of the living.

    Those of the living are computed once for each distinct (frequency, T), of which there are far
    fewer than customers.
    """

    def fit_with_prior(
        self, summary: Any, prior: NormalPrior, *, max_groups: int = MAX_GROUPS
    ) -> Self:
        """Estimate the mode of the posterior, given what is known of `unconstrained` beforehand.

        `prior` is normal. There is a mode however few the customers: with none of information it is the prior mean.
        Standard errors are those of the posterior in Laplace's approximation; `log_likelihood_` is that of the
        data alone.
        """
        groups = self._read_groups(summary, max_groups)
        objective, root, n = self._objective(groups), prior.root, groups.n_customers

        def penalised(u: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = objective(prior.mean + root @ u)
            return value - float(u @ u) / (2.0 * n), root.T @ gradient - u / n

        u, spread, n_iterations = np.zeros(root.shape[1]), np.zeros((root.shape[1],) * 2), 0
        if len(u):
            names = [f"prior direction {i + 1}" for i in range(len(u))]
            mode = maximise(penalised, [u], names=names, n_customers=n)
            u, spread, n_iterations = mode.log_params, mode.log_covariance, mode.n_iterations
        at = prior.mean + root @ u
        found = Maximum(at, objective(at)[0], root @ spread @ root.T, n_iterations)
        self._keep(found, n_customers=n, n_triples=len(groups))
        return self

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

    def _alive_by_stage(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        return self._probability_alive(x, t_x, age)[None]

    def _counts_by_stage(self, x: FloatArray, age: FloatArray, t: float, most: int) -> FloatArray:
        return self._counts_if_alive(x, age, t, most)[None]

    def _most_if_alive(self, x: FloatArray, age: FloatArray, t: float) -> FloatArray:
        """Of models in which purchase rates are Gamma(r, alpha), their first two parameters."""
        r, alpha, *_ = self._theta()
        return most_purchases(r + x, alpha + age, t)

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
    first, where = distinct_rows(x, age)
    return function(x[first], age[first])[where]
