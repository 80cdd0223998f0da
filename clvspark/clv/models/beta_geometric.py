"""The beta-geometric lifetime: the chance to leave, theta ~ Beta(a, b), is met once a period."""

from __future__ import annotations

import numpy as np
from scipy.special import betaln

from clvspark.clv.models.hypergeometric import gauss_2f1
from clvspark.clv.models.summary import FloatArray


def log_survival(a: float, b: FloatArray, periods: FloatArray | float) -> FloatArray:
    """Log P(survive `periods` more chances) = log B(a, b + periods) / B(a, b)."""
    return np.asarray(betaln(a, b + periods) - betaln(a, b))


def discounted_survival(
    a: float, b: FloatArray, *, discount_factor: float, periods: float
) -> FloatArray:
    """Sum of discount_factor^j P(survive j chances) over j = 1 .. periods (may be infinite).

    The infinite sum is v b / (a + b) 2F1(1, b + 1; a + b + 1; v), as in Fader and Hardie (2010),
    "Customer-base valuation in a contractual setting", for a discount of one period on the
    next chance.
    """
    if np.isinf(periods):
        v = discount_factor
        return np.asarray(v * b / (a + b) * gauss_2f1(1.0, b + 1.0, a + b + 1.0, v))
    total, term = np.zeros_like(b), np.ones_like(b)
    for j in range(int(periods)):
        term = term * discount_factor * (b + j) / (a + b + j)
        total += term
    return total
