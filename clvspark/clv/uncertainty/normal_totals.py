"""What a number of purchases comes to, where spend is normal and may be negative.

Given the history a customer's mean is N(m, s^2), with m the expected spend and 1/s^2 = 1/tau^2 + x/sigma^2. The total
of n purchases is then N(n m, n sigma^2 + n^2 s^2): they share the customer's mean, so that the spread of many is more
than that of independent ones.

Source: Schmittlein and Peterson (1994), "Customer base analysis", the model of dollar volume per purchase.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from clvspark.clv.models.normal_normal import NormalNormalModel
from clvspark.clv.models.summary import FloatArray
from clvspark.clv.uncertainty.purchases import FuturePurchases
from clvspark.clv.uncertainty.steps import IntArray

_REACH = 8.0
_BISECTIONS = 45


@dataclass(frozen=True)
class NormalTotals:
    """Distributions of the value of many customers: mixtures of normal ones over the number of purchases.

    `mean` and `variance` are of the customer's own mean, `noise` is the variance of a purchase around it.
    """

    purchases: FuturePurchases
    mean: FloatArray
    variance: FloatArray
    noise: float
    discount: FloatArray

    @classmethod
    def of(
        cls,
        purchases: FuturePurchases,
        spend: NormalNormalModel,
        *,
        days: FloatArray,
        mean: FloatArray,
        discount: FloatArray,
    ) -> NormalTotals:
        """Of customers who spent `mean` on each of so many `days`; values are times `discount`."""
        known = {"frequency": days, "monetary_value": mean}
        tau, sigma = spend.params_["tau"], spend.params_["sigma"]
        variance = 1.0 / (1.0 / tau**2 + days / sigma**2)
        expected = np.asarray(spend.expected_customer_spend(known))
        return cls(purchases, expected, variance, sigma**2, discount)

    def quantile(self, level: float) -> FloatArray:
        """Value that is exceeded with probability at most 1 - level; 0 where nothing else is that likely."""
        zero = np.zeros_like(self.mean)
        most = self.purchases.counts.length - 1
        spread = np.sqrt(most * self.noise + most**2 * self.variance)
        reach = most * np.abs(self.mean) + _REACH * spread
        reach = np.maximum(reach * self.discount, 1e-300)
        is_loss = self.probability_below(zero) >= level
        is_gain = self.probability_above(zero) > 1.0 - level
        low, high = np.where(is_loss, -reach, zero), np.where(is_gain, reach, zero)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2.0
            beyond = self.probability_above(middle) > 1.0 - level
            low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
        return np.where(is_loss | is_gain, high, zero)

    def probability_above(self, value: float | FloatArray) -> FloatArray:
        """P(value > `value`) of each customer."""
        return self._beyond(value, 1.0) + np.where(np.asarray(value) < 0, self._nothing(), 0.0)

    def probability_below(self, value: float | FloatArray) -> FloatArray:
        """P(value < `value`) of each customer."""
        return self._beyond(value, -1.0) + np.where(np.asarray(value) > 0, self._nothing(), 0.0)

    def _nothing(self) -> FloatArray:
        alive = self.purchases.p_alive
        return np.asarray(1.0 - alive * (1.0 - self.purchases.none_if_alive()))

    def _beyond(self, value: float | FloatArray, side: float) -> FloatArray:
        """P(there are purchases, and their total lies beyond `value` on that side)."""
        worth = np.broadcast_to(value, self.mean.shape) / self.discount
        found = np.zeros(len(self.mean))
        for rows, chances in self._chances():
            n = np.arange(1.0, chances.shape[1] + 1.0)
            total = n * self.mean[rows, None]
            spread = np.sqrt(n * self.noise + n**2 * self.variance[rows, None])
            beyond = ndtr(side * (total - worth[rows, None]) / spread)
            found[rows] = np.einsum("ij,ij->i", chances, beyond)
        return np.asarray(np.clip(self.purchases.p_alive * found, 0.0, 1.0))

    def _chances(self) -> Iterator[tuple[IntArray, FloatArray]]:
        """Chances of 1, 2, ... purchases of the living, by customers with as many of them."""
        counts = self.purchases.counts
        for length in np.unique(counts.length):
            rows, cumulative = counts.of_length(int(length))
            yield rows, np.diff(cumulative, axis=1)
