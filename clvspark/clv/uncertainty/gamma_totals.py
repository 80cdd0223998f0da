"""What a number of purchases comes to, where spend is Gamma-Gamma.

The total of n purchases, in units of v + x z, is beta-prime (p n, p x + q), so that the distribution of the value, in
these units, depends on (frequency, recency, T) alone, and given alive on (frequency, T): one matrix product serves all
customers of a frequency.

Source: Fader and Hardie (2013), "The Gamma-Gamma model of monetary value", eqs. 2-4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import betainc
from scipy.stats import betaprime

from clvspark.clv.models.gamma_gamma import GammaGammaModel
from clvspark.clv.models.summary import FloatArray
from clvspark.clv.uncertainty.purchases import FuturePurchases
from clvspark.clv.uncertainty.steps import Mixtures

GRID = 256
"""Values at which a distribution is tabulated, evenly in their logarithm."""


@dataclass(frozen=True)
class GammaTotals:
    """Distributions of the value of many customers, tabulated in units of each customer's own."""

    purchases: FuturePurchases
    unit: FloatArray
    values: Mixtures
    log_low: FloatArray
    log_step: FloatArray

    @classmethod
    def of(
        cls,
        purchases: FuturePurchases,
        spend: GammaGammaModel,
        *,
        days: FloatArray,
        mean: FloatArray,
        discount: FloatArray,
    ) -> GammaTotals:
        """Of customers who spent `mean` on each of so many `days`; values are times `discount`."""
        p, q, v = (spend.params_[name] for name in ("p", "q", "v"))
        size = sum(len(block.rows) for block in purchases.blocks)
        log_low, log_step, tables = np.empty(size), np.empty(size), []
        for block in purchases.blocks:
            log_values, spent = _tabulate(p, q, block.days, block.most)
            tables.append(block.chances @ spent)
            log_low[block.rows] = log_values[0]
            log_step[block.rows] = log_values[1] - log_values[0]
        return cls(
            purchases=purchases,
            unit=(v + days * np.where(days > 0, mean, 0.0)) * discount,
            values=purchases.mix(tables),
            log_low=log_low[purchases.group],
            log_step=log_step[purchases.group],
        )

    def quantile(self, level: float) -> FloatArray:
        """Value that is exceeded with probability at most 1 - level; 0 where no purchase is likely."""
        wanted = self.purchases.level_if_alive(level)
        after = np.maximum(self.values.locate(wanted), 1)
        below, above = self.values.at(after - 1), self.values.at(after)
        part = np.clip((wanted - below) / np.maximum(above - below, 1e-300), 0.0, 1.0)
        log_value = self.log_low + self.log_step * (after - 1 + part)
        nothing = wanted <= self.purchases.none_if_alive()
        return np.where(nothing, 0.0, self.unit * np.exp(log_value))

    def probability_above(self, value: float | FloatArray) -> FloatArray:
        """P(value > `value`) of each customer; all exceed a loss."""
        amount = np.maximum(value, 0.0)
        with np.errstate(divide="ignore"):
            place = (np.log(amount / self.unit) - self.log_low) / self.log_step
        last = self.values.length - 1
        place = np.clip(place, 0.0, last)
        before = np.minimum(place.astype(np.intp), last - 1)
        low, high = self.values.at(before), self.values.at(before + 1)
        inside = low + (high - low) * (place - before)
        nothing = self.purchases.none_if_alive()
        below = np.where(amount > 0, np.maximum(inside, nothing), nothing)
        above = np.clip(self.purchases.p_alive * (1.0 - below), 0.0, 1.0)
        return np.where(np.asarray(value) < 0, 1.0, above)

    def probability_below(self, value: FloatArray) -> FloatArray:
        """P(value < `value`) of each customer: the values above 0 have no jumps."""
        return np.where(value > 0, 1.0 - self.probability_above(value), 0.0)


# Frequencies are few, batches and transaction models many.
@lru_cache(maxsize=256)
def _tabulate(p: float, q: float, x: float, most: int) -> tuple[FloatArray, FloatArray]:
    """Logarithms of values, and P(n purchases come to at most each), matrix (0..most x value)."""
    known = p * x + q
    low = np.log(np.maximum(betaprime.ppf(1e-4, p, known), 1e-12))
    high = np.log(betaprime.ppf(1.0 - 1e-5, p * most, known))
    log_values = np.linspace(low, high, GRID)
    n = np.arange(1.0, most + 1.0)[:, None]
    spent = np.ones((most + 1, GRID))
    share = 1.0 / (1.0 + np.exp(-log_values))
    spent[1:] = betainc(p * n, known, share)
    return log_values, spent
