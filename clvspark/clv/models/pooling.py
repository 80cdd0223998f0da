"""Empirical Bayes: how much parameters differ between segments, estimated from their separate estimates.

Each segment j has an estimate y_j of its log-parameters with covariance V_j, and its true ones are N(mu, Tau) over
segments. Then y_j ~ N(mu, Tau + V_j), from which mu and Tau follow.

Sources: Efron and Morris (1975), "Data analysis using Stein's estimator and its generalizations", JASA 70; Gelman
et al. (2013), "Bayesian Data Analysis", section 5.4, eqs. 5.20-5.21, here with vectors, and the marginal posterior
of Tau (mu integrated out) at its mode, which is restricted maximum likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from clvspark.clv.models.summary import FloatArray

NEGLIGIBLE_VARIANCE = 1e-10
"""Variance of a logarithm that is none: a difference of a thousandth of a percent."""


@dataclass(frozen=True)
class NormalPrior:
    """What is known of log-parameters before the data: N(mean, covariance), which may be singular."""

    mean: FloatArray
    covariance: FloatArray

    @property
    def root(self) -> FloatArray:
        """Columns R with R R' = covariance, one for each direction that has a variance."""
        values, vectors = np.linalg.eigh(self.covariance)
        kept = values > NEGLIGIBLE_VARIANCE
        return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def estimate_prior(estimates: FloatArray, covariances: FloatArray) -> NormalPrior:
    """Mean and covariance over segments of the true log-parameters.

    In: estimates (segment x parameter) and their covariances (segment x parameter x parameter), of at least two
    segments. The covariance is as small as zero where the estimates differ no more than by chance.
    """
    size = estimates.shape[1]
    lower = np.tril_indices(size)
    within = np.einsum("jii->i", covariances) / len(estimates)
    between = np.maximum(estimates.var(axis=0, ddof=1) - within, 0.1 * within)

    def negative(entries: FloatArray) -> tuple[float, FloatArray]:
        factor = np.zeros((size, size))
        factor[lower] = entries
        value, slope = _restricted_log_likelihood(factor @ factor.T, estimates, covariances)
        # Tau = L L', so that d/dL = 2 (d/dTau) L.
        return -value, -(2.0 * slope @ factor)[lower]

    start = np.diag(np.sqrt(between))[lower]
    found = minimize(
        negative,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "maxfun": 5000, "ftol": 1e-14, "gtol": 1e-9},
    )
    factor = np.zeros((size, size))
    factor[lower] = found.x
    covariance = factor @ factor.T
    return NormalPrior(_mean(covariance, estimates, covariances)[0], covariance)


def _mean(
    tau: FloatArray, estimates: FloatArray, covariances: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Generalised least squares: mu, the precisions of the estimates, and their sum."""
    precisions = np.linalg.inv(tau + covariances)
    total = precisions.sum(axis=0)
    weighted = np.einsum("jik,jk->i", precisions, estimates)
    mean = np.asarray(np.linalg.solve(total, weighted), dtype=np.float64)
    return mean, np.asarray(precisions, dtype=np.float64), np.asarray(total, dtype=np.float64)


def _restricted_log_likelihood(
    tau: FloatArray, estimates: FloatArray, covariances: FloatArray
) -> tuple[float, FloatArray]:
    """Log marginal posterior of Tau under flat priors, and its gradient by Tau."""
    mean, precisions, total = _mean(tau, estimates, covariances)
    pull = np.einsum("jik,jk->ji", precisions, estimates - mean)
    value = 0.5 * (
        np.linalg.slogdet(precisions)[1].sum()
        - np.linalg.slogdet(total)[1]
        - np.sum(pull * (estimates - mean))
    )
    lost = np.einsum("jab,bc,jcd->ad", precisions, np.linalg.inv(total), precisions)
    return float(value), 0.5 * (pull.T @ pull - total + lost)
