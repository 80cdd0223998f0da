"""The NBD model: customers who never leave."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from scipy.special import digamma, gammaln

from clvspark.clv.models.future_counts import gamma_poisson_counts
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.negative_binomial import log_count_pmf
from clvspark.clv.models.summary import FloatArray, Groups


class NBDModel(MemorylessModel):
    """NBD: Poisson purchases at gamma distributed rates, nobody drops out.

    Parameters r, alpha (gamma distributed rates). It is BG/NBD as the dropout goes to nothing: the model of a
    panel or a subscription, where models with dropout run off to a bound, and the benchmark that shows what
    dropout adds elsewhere. P(alive) is 1 for everybody.

    Source: Ehrenberg (1959), "The pattern of consumer purchases", Applied Statistics 8(1); Fader and Hardie
    (2005), note on the NBD, for the conditional expectation.
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha")

    def _starts(self, groups: Groups) -> list[tuple[float, ...]]:
        rate = self._purchase_rate(groups)
        return [(1.0, 1.0 / rate), (0.3, 0.3 / rate), (3.0, 3.0 / rate)]

    def _log_likelihood_and_gradient(
        self, theta: FloatArray, groups: Groups
    ) -> tuple[FloatArray, FloatArray]:
        """Of the purchase times, as in the models with dropout, so that likelihoods compare."""
        r, alpha = theta
        x, age = groups["frequency"], groups["T"]
        k, total = r + x, np.log(alpha + age)
        values = gammaln(k) - gammaln(r) + r * np.log(alpha) - k * total
        gradient = np.array(
            [digamma(k) - digamma(r) + np.log(alpha) - total, r / alpha - k / (alpha + age)]
        )
        return values, gradient

    def _probability_alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        del t_x, age
        return np.ones(len(x))

    def _counts_if_alive(self, x: FloatArray, age: FloatArray, t: float, most: int) -> FloatArray:
        r, alpha = self._theta()
        return gamma_poisson_counts(r + x, alpha + age, t, most)

    def _purchases_if_alive(self, x: FloatArray, age: FloatArray, t: float) -> FloatArray:
        r, alpha = self._theta()
        return np.asarray((r + x) / (alpha + age) * t)

    def _discounted_if_alive(
        self, x: FloatArray, age: FloatArray, delta: float, horizon: float
    ) -> FloatArray:
        annuity = horizon if delta == 0 else -math.expm1(-delta * horizon) / delta
        return self._purchases_if_alive(x, age, annuity)

    def _purchases_new_customer(self, t: float) -> float:
        r, alpha = self._theta()
        return float(r / alpha * t)

    def _count_pmf(self, n: FloatArray, t: float) -> FloatArray:
        r, alpha = self._theta()
        return np.asarray(np.exp(log_count_pmf(n, r, alpha, t)))
