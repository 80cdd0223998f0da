"""Counts of Poisson purchases whose rates are gamma distributed."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from clvspark.clv.models.summary import FloatArray


def log_count_pmf(n: FloatArray, r: float, alpha: float, t: float) -> FloatArray:
    """Log P(n purchases in a time t) of a customer who stays, lambda ~ Gamma(r, alpha)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.where(n > 0, n * np.log(t / (alpha + t)), 0.0)
    constant = gammaln(r + n) - gammaln(r) - gammaln(n + 1) + r * np.log(alpha / (alpha + t))
    return np.asarray(constant + growth)
