"""The probability to be among the best customers, of what is expected and of what will happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import ndtr

from clvspark.clv.models.errors import InvalidArgumentError
from clvspark.clv.models.summary import FloatArray
from clvspark.clv.uncertainty.delta_method import Linearised, standard_error

_STEP = 0.01


class Chances(Protocol):
    """What customers may bring, e.g. `Outcomes`."""

    def value(self, level: float) -> FloatArray:
        """Value that is exceeded with probability at most 1 - level, of each customer."""

    def probability_above(self, value: float) -> FloatArray:
        """P(value > `value`) of each customer."""


@dataclass(frozen=True)
class Threshold:
    """The expected value that the top share of customers exceeds, and its gradient."""

    estimate: float
    gradient: FloatArray

    def probability_above(self, values: Linearised) -> FloatArray:
        """P(a customer's *expected* value is in the top share), from the parameters' uncertainty.

        Customer and threshold move with the same parameters, so their difference is less uncertain
        than either: normal with the variance of the difference of gradients. It is near 0 or 1
        for nearly everybody where many customers were fitted; it says how firm a decile is, not
        how likely the customer's purchases will put them there (see `find_outcome_threshold`).
        """
        margin = values.estimate - self.estimate
        spread = standard_error(values.gradient - self.gradient[:, None], values.covariance)
        certain = np.where(margin >= 0, 1.0, 0.0)
        moves = spread > 0
        return np.where(moves, ndtr(margin / np.where(moves, spread, 1.0)), certain)


def find_threshold(
    values: Linearised, *, share: float = 0.1, weight: FloatArray | None = None
) -> Threshold:
    """Threshold of the top share, from all customers, weighted histories or a large sample.

    Its gradient is that of the quantile of the linearised values.
    """
    reach = np.sqrt(np.diag(values.covariance))

    def quantile(moved: FloatArray) -> float:
        return weighted_quantile(moved, 1.0 - share, weight)

    gradient = []
    for slope, spread in zip(values.gradient, reach, strict=True):
        step = _STEP if spread == 0 else float(spread)
        ahead, behind = (
            quantile(values.estimate + step * slope),
            quantile(values.estimate - step * slope),
        )
        gradient.append((ahead - behind) / (2.0 * step))
    return Threshold(quantile(values.estimate), np.array(gradient))


def find_outcome_threshold(
    outcomes: Chances, *, share: float = 0.1, weight: FloatArray | None = None
) -> float:
    """The value within the horizon that a customer chosen at random exceeds with P = `share`.

    `outcomes.probability_above` of it is each customer's chance to end among the top share; the
    chances average to `share`. 0 where fewer than `share` are expected to bring anything.
    """
    _check_share(share)
    low, high = 0.0, float(np.max(outcomes.value(1.0 - 1e-4), initial=1.0))
    for _ in range(50):
        middle = (low + high) / 2.0
        mean = float(np.average(outcomes.probability_above(middle), weights=weight))
        low, high = (middle, high) if mean > share else (low, middle)
    return high if low > 0 else 0.0


def weighted_quantile(values: FloatArray, level: float, weight: FloatArray | None = None) -> float:
    """The smallest value below or at which at least `level` of the weight lies."""
    _check_share(level)
    order = np.argsort(values, kind="stable")
    total = np.cumsum(np.ones(len(values)) if weight is None else weight[order])
    # A hair lower, so that rounding of the sum does not skip the value that reaches the level.
    return float(values[order][np.searchsorted(total, level * total[-1] * (1.0 - 1e-12))])


def _check_share(share: float) -> None:
    if not 0.0 < share < 1.0:
        raise InvalidArgumentError(f"share: must lie between 0 and 1 (0.1 is 10 %); got {share!r}")
