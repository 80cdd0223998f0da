"""Doubt about who a customer is, carried on to what the customer is worth.

A person is joined by links between records, and the weakest may be wrong; then the history is of
two people. Both functions leave everything as it is where all links are certain.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from clvspark.clv.models.errors import InvalidArgumentError
from clvspark.clv.models.summary import FloatArray
from clvspark.clv.uncertainty.outcomes import Outcomes
from clvspark.clv.uncertainty.parameters import tails


def mix_outcomes(
    as_is: Outcomes, without: Outcomes, p_wrong: FloatArray, *, level: float
) -> FloatArray:
    """Quantile of the value where the history without the doubtful records is known.

    With probability 1 - p_wrong the value is that of the history as it is, with p_wrong that of
    the history without the records behind the weakest link: the quantile of this mixture, by
    bisection. It lies between the two quantiles.
    """
    _check_probability(p_wrong)
    one, other = as_is.value(level), without.value(level)
    low, high = np.minimum(one, other), np.maximum(one, other)
    for _ in range(40):
        middle = (low + high) / 2.0
        above = (1.0 - p_wrong) * as_is.probability_above(middle)
        above += p_wrong * without.probability_above(middle)
        beyond = above > 1.0 - level
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return np.where(p_wrong > 0, high, one)


def widen_interval(
    estimate: FloatArray,
    low: FloatArray,
    high: FloatArray,
    p_wrong: FloatArray,
    *,
    level: float = 0.8,
) -> tuple[FloatArray, FloatArray]:
    """Interval of a value where nothing is known but the probability that the link is wrong.

    Assumed is that, if it is wrong, the person's own share of the value is anything between none
    and all (uniform). The share S is then 1 with probability 1 - d, and has the variance
    d/3 - d^2/4. To each side of the interval this is added in quadrature, as to independent
    errors: reach^2 + (z S.D.(S) value)^2. To both, because a history that loses its first records
    may promise more: the customer is younger. An interval above 0 stays there.

    A rule to go on with, not an inference: it does not know which records are doubted. It is made
    for links that are more likely right than wrong; beyond d = 2/3 it narrows again.
    """
    _check_probability(p_wrong)
    spread = np.sqrt(p_wrong / 3.0 - p_wrong**2 / 4.0)
    doubt = float(ndtri(tails(level)[1])) * spread * np.abs(estimate)
    lower = estimate - np.hypot(estimate - low, doubt)
    upper = estimate + np.hypot(high - estimate, doubt)
    # Written so that without doubt the ends keep their last digit.
    doubted = doubt > 0
    lower = np.where(low >= 0, np.maximum(lower, 0.0), lower)
    return np.where(doubted, lower, low), np.where(doubted, upper, high)


def _check_probability(p_wrong: FloatArray) -> None:
    bad = int(np.count_nonzero(~((p_wrong >= 0.0) & (p_wrong <= 1.0))))
    if bad:
        raise InvalidArgumentError(
            f"p_wrong: is not a probability in {bad} of {len(p_wrong)} rows; allowed: 0 to 1"
        )
