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
from scipy.special import ndtr, ndtri

from clvspark.clv.models.normal_normal import NormalNormalModel
from clvspark.clv.models.summary import FloatArray
from clvspark.clv.uncertainty.purchases import FuturePurchases
from clvspark.clv.uncertainty.steps import IntArray

# Standard deviations beyond which nothing lies.
_REACH = 8.0
# Relative to the spread of the value; digits beyond are those of an amount that nobody knows.
_TOLERANCE = 1e-12
_MOST_STEPS = 200
_UNLIKELY = 1e-9


@dataclass(frozen=True)
class NormalMixtures:
    """Distributions of customers with as many chances: normal ones of 1, 2, ... purchases (customer x number)."""

    rows: IntArray
    chances: FloatArray
    means: FloatArray
    spreads: FloatArray

    def take(self, some: IntArray) -> NormalMixtures:
        """Of some of the customers."""
        return NormalMixtures(
            self.rows[some], self.chances[some], self.means[some], self.spreads[some]
        )

    def beyond(self, value: FloatArray, side: float) -> FloatArray:
        """P(there are purchases that come to more than `value`; to less where `side` is -1)."""
        apart = (self.means - value[:, None]) / self.spreads
        return np.einsum("ij,ij->i", self.chances, ndtr(side * apart))

    def density(self, value: FloatArray) -> FloatArray:
        """Density of the value where there are purchases."""
        apart = (self.means - value[:, None]) / self.spreads
        height = np.exp(-0.5 * apart**2) / (np.sqrt(2.0 * np.pi) * self.spreads)
        return np.einsum("ij,ij->i", self.chances, height)

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the value, nothing included."""
        mean = (self.chances * self.means).sum(axis=1)
        square = (self.chances * (self.spreads**2 + self.means**2)).sum(axis=1)
        return mean, np.sqrt(np.maximum(square - mean**2, 0.0))


@dataclass(frozen=True)
class NormalTotals:
    """Distributions of the value of many customers, each mixed over the number of purchases."""

    purchases: FuturePurchases
    mixtures: tuple[NormalMixtures, ...]
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
        mixtures = []
        for length in np.unique(purchases.counts.length):
            of_length, cumulative = purchases.counts.of_length(int(length))
            for some, last in _by_likely_number(cumulative):
                rows, n = of_length[some], np.arange(1.0, last + 1.0)
                among = np.diff(cumulative[some, : last + 1], axis=1)
                spreads = np.sqrt(n * sigma**2 + n**2 * variance[rows, None])
                chances = purchases.p_alive[rows, None] * among
                mixtures.append(NormalMixtures(rows, chances, n * expected[rows, None], spreads))
        return cls(purchases, tuple(mixtures), discount)

    def quantile(self, level: float) -> FloatArray:
        """Value that is exceeded with probability at most 1 - level; 0 where nothing else is that likely."""
        zero = np.zeros(len(self.discount))
        is_loss = self.probability_below(zero) >= level
        is_gain = self.probability_above(zero) > 1.0 - level
        found = zero.copy()
        for one in self.mixtures:
            for moved, side, wanted in ((is_gain, 1.0, 1.0 - level), (is_loss, -1.0, level)):
                part = one.take(np.flatnonzero(moved[one.rows]))
                found[part.rows] = _solve(part, side, wanted)
        return found * self.discount

    def probability_above(self, value: float | FloatArray) -> FloatArray:
        """P(value > `value`) of each customer."""
        return self._beyond(value, 1.0) + np.where(np.asarray(value) < 0, self._nothing(), 0.0)

    def probability_below(self, value: float | FloatArray) -> FloatArray:
        """P(value < `value`) of each customer."""
        return self._beyond(value, -1.0) + np.where(np.asarray(value) > 0, self._nothing(), 0.0)

    def _nothing(self) -> FloatArray:
        return 1.0 - self.purchases.probability_above(np.zeros(len(self.discount)))

    def _beyond(self, value: float | FloatArray, side: float) -> FloatArray:
        worth = np.broadcast_to(value, self.discount.shape) / self.discount
        found = np.empty(len(worth))
        for one in self.mixtures:
            found[one.rows] = one.beyond(worth[one.rows], side)
        return np.clip(found, 0.0, 1.0)


def _by_likely_number(cumulative: FloatArray) -> Iterator[tuple[IntArray, int]]:
    """Customers by a power of two of purchases that they hardly exceed: most tables are longer than that."""
    likely = np.maximum((cumulative < 1.0 - _UNLIKELY).sum(axis=1), 1)
    width = np.exp2(np.ceil(np.log2(likely))).astype(np.intp)
    for one in np.unique(width):
        yield np.flatnonzero(width == one), min(int(one), cumulative.shape[1] - 1)


def _solve(mixtures: NormalMixtures, side: float, wanted: float) -> FloatArray:
    """Values on that side of 0 beyond which purchases come with probability `wanted`.

    Newton's method within a bracket that shrinks. Each customer's steps are of its own numbers alone, so that equal
    histories have equal quantiles in whatever company they are.
    """
    mean, spread = mixtures.moments()
    reach = np.abs(mixtures.means[:, -1]) + _REACH * mixtures.spreads[:, -1]
    # Distances from 0, which grow as the probability beyond falls.
    near, far = np.zeros(len(mean)), reach
    at = np.clip(side * mean + spread * float(ndtri(1.0 - wanted)), 0.0, reach)
    open_rows = np.arange(len(mean))
    for _ in range(_MOST_STEPS):
        if len(open_rows) == 0:
            break
        part, here = mixtures.take(open_rows), at[open_rows]
        excess = part.beyond(side * here, side) - wanted
        near[open_rows] = np.where(excess > 0, here, near[open_rows])
        far[open_rows] = np.where(excess > 0, far[open_rows], here)
        step = excess / np.maximum(part.density(side * here), 1e-300)
        low, high = near[open_rows], far[open_rows]
        ahead = here + step
        inside = (low < ahead) & (ahead < high)
        at[open_rows] = np.where(inside, ahead, (low + high) / 2.0)
        moved = np.abs(at[open_rows] - here)
        open_rows = open_rows[moved > _TOLERANCE * (spread[open_rows] + np.abs(here))]
    return side * at
