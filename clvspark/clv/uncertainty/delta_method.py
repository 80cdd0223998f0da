"""Intervals of expectations by the delta method: a few evaluations in the place of many draws.

Near the estimate a prediction is close to linear in the unconstrained parameters, so that its
variance is gradient' covariance gradient. The gradient takes two evaluations a parameter, where
draws take a hundred; the tests compare both. The ends of an interval are found on a scale on
which the quantity has no bound (logarithm, log odds), so that none lies outside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from scipy.special import expit, logit, ndtri

from clvspark.clv.models.base import LifetimeModel
from clvspark.clv.models.summary import FloatArray
from clvspark.clv.uncertainty.parameters import covariance_of, tails

Model = TypeVar("Model", bound=LifetimeModel)
Kind = Literal["probability", "positive", "any"]

STEPS = (1e-3, 2e-2)
"""Least and largest step of a logarithm: below, predictions lose digits; above, they bend."""


@dataclass(frozen=True)
class Linearised:
    """A prediction of many customers, its gradient (parameter x customer), and the covariance."""

    estimate: FloatArray
    gradient: FloatArray
    covariance: FloatArray

    @property
    def standard_error(self) -> FloatArray:
        """Standard error of the estimate that comes from the parameters."""
        return standard_error(self.gradient, self.covariance)

    def times(self, other: Linearised) -> Linearised:
        """The product with a prediction of another model, fitted apart from this one."""
        size, more = len(self.covariance), len(other.covariance)
        covariance = np.zeros((size + more, size + more))
        covariance[:size, :size], covariance[size:, size:] = self.covariance, other.covariance
        gradient = np.vstack([self.gradient * other.estimate, self.estimate * other.gradient])
        return Linearised(self.estimate * other.estimate, gradient, covariance)

    def take(self, rows: Any) -> Linearised:
        """The same of other rows, e.g. of the customers that share a history."""
        return Linearised(self.estimate[rows], self.gradient[:, rows], self.covariance)

    def interval(self, *, level: float = 0.8, kind: Kind) -> tuple[FloatArray, FloatArray]:
        """Central interval of the expectation; it knows nothing of the customer's own chance.

        A probability of 0 or 1, which no parameter moves, is its own interval.
        """
        reach = float(ndtri(tails(level)[1])) * self.standard_error
        m = self.estimate
        if kind == "any":
            return m - reach, m + reach
        with np.errstate(divide="ignore", invalid="ignore"):
            if kind == "positive":
                factor = np.exp(reach / m)
                low, high = m / factor, m * factor
            else:
                width = reach / (m * (1.0 - m))
                low, high = expit(logit(m) - width), expit(logit(m) + width)
        moves = np.isfinite(low) & np.isfinite(high) & (reach > 0)
        return np.where(moves, low, m), np.where(moves, high, m)


def linearise(
    model: Model, ask: Callable[[Model], Any], *, covariance: FloatArray | None = None
) -> Linearised:
    """What `ask` says of the model's customers, with derivatives by central differences.

    `covariance` of the unconstrained parameters, e.g. of bootstrap draws; that of the fit if None.
    """
    at = model.unconstrained()
    known = covariance_of(model) if covariance is None else covariance
    gradient = []
    for step in np.diag(_steps(model, known)):
        ahead, behind = (np.asarray(ask(model.with_unconstrained(at + s))) for s in (step, -step))
        gradient.append((ahead - behind) / (2.0 * step.sum()))
    return Linearised(np.asarray(ask(model), dtype=np.float64), np.array(gradient), known)


def standard_error(gradient: FloatArray, covariance: FloatArray) -> FloatArray:
    """Square root of gradient' covariance gradient, customer by customer."""
    variance = np.einsum("ik,ij,jk->k", gradient, covariance, gradient, optimize=True)
    return np.sqrt(np.maximum(variance, 0.0))


def _steps(model: LifetimeModel, covariance: FloatArray) -> FloatArray:
    """A tenth of each standard error, so that no step leaves what the data allow."""
    signed = ~model.is_logarithm()
    tenth = 0.1 * np.sqrt(np.diag(covariance))
    return np.where(signed & (tenth > 0), tenth, np.clip(tenth, *STEPS))
