"""Time-invariant covariates: parameters that differ between customers by what is known of them.

A parameter theta becomes theta_i = theta_0 exp(sign * coefficients . z_i) for a customer with covariates z_i,
with the signs chosen so that a positive coefficient means more purchases, or more dropout.

Source: Fader and Hardie (2007), "Incorporating time-invariant covariates into the Pareto/NBD and BG/NBD models".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clvspark.clv.models.errors import DegenerateDataError
from clvspark.clv.models.summary import FloatArray

COLLINEAR_BELOW = 1e-8
"""Smallest eigenvalue of a correlation matrix that leaves its covariates apart."""

MAX_LOG_BASELINE = 300.0
"""Logarithm of the largest parameter with which one can calculate."""


@dataclass(frozen=True)
class Effect:
    """How the covariates of one process (purchase or dropout) move one parameter."""

    process: str
    parameter: str
    sign: float
    columns: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients, e.g. ``purchase_coefficient_alpha_is_web``."""
        return tuple(f"{self.process}_coefficient_{self.parameter}_{c}" for c in self.columns)


@dataclass(frozen=True)
class Effects:
    """All effects of a model; its coefficients follow its parameters in every vector."""

    parameters: tuple[str, ...]
    effects: tuple[Effect, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients, in order."""
        return tuple(name for effect in self.effects for name in effect.names)

    def theta_of(
        self, baseline: FloatArray, coefficients: FloatArray, columns: Mapping[str, Any]
    ) -> list[Any]:
        """Parameters of each customer: a number where no covariate has a say, else an array."""
        theta: list[Any] = list(baseline)
        for effect, part in self._parts(coefficients):
            moved = sum(
                value * columns[name] for name, value in zip(effect.columns, part, strict=True)
            )
            at = self.parameters.index(effect.parameter)
            theta[at] = theta[at] * np.exp(effect.sign * moved)
        return theta

    def chain(
        self,
        theta: Sequence[Any],
        gradient: FloatArray,
        columns: Mapping[str, FloatArray],
        weight: FloatArray,
    ) -> FloatArray:
        """Weighted sum of `gradient` (by theta_i) by log theta_0 and by the coefficients."""
        by_log = [value * slope for value, slope in zip(theta, gradient, strict=True)]
        total = [float(weight @ slope) for slope in by_log]
        for effect in self.effects:
            weighted = weight * by_log[self.parameters.index(effect.parameter)]
            total += [effect.sign * float(weighted @ columns[name]) for name in effect.columns]
        return np.array(total)

    def log_jacobian(self, columns: Mapping[str, float]) -> FloatArray:
        """Derivative of log theta_i of a customer by log theta_0 and by the coefficients, parameter x estimate."""
        n = len(self.parameters)
        matrix = np.eye(n, n + len(self.names))
        column = n
        for effect in self.effects:
            at = self.parameters.index(effect.parameter)
            for name in effect.columns:
                matrix[at, column] = effect.sign * columns[name]
                column += 1
        return matrix

    def unscale(self, scale: Scale) -> FloatArray:
        """Matrix that turns estimates by standardised covariates into those by the covariates.

        coefficient = standardised / spread, and log theta_0 = log theta_mean - sign * coefficients . mean.
        """
        n = len(self.parameters)
        matrix = np.eye(n + len(self.names))
        column = n
        for effect in self.effects:
            at = self.parameters.index(effect.parameter)
            for name in effect.columns:
                matrix[column, column] = 1.0 / scale.spread[name]
                matrix[at, column] = -effect.sign * scale.mean[name] / scale.spread[name]
                column += 1
        return matrix

    def refuse_far_baseline(self, working: FloatArray, scale: Scale) -> None:
        """Raise `DegenerateDataError` where theta_0, the value at covariates of zero, is no number."""
        for effect in self.effects:
            if not abs(working[self.parameters.index(effect.parameter)]) < MAX_LOG_BASELINE:
                far = max(
                    effect.columns, key=lambda name: abs(scale.mean[name] / scale.spread[name])
                )
                raise DegenerateDataError(
                    f"summary: covariate {far} is so far from zero that {effect.parameter}, which holds where "
                    "covariates are zero, is no number; subtract its mean or another typical value"
                )

    def _parts(self, coefficients: FloatArray) -> Iterable[tuple[Effect, FloatArray]]:
        first = 0
        for effect in self.effects:
            yield effect, coefficients[first : first + len(effect.columns)]
            first += len(effect.columns)


@dataclass(frozen=True)
class Scale:
    """Mean and spread of each covariate over customers: what standardising takes out."""

    mean: dict[str, float]
    spread: dict[str, float]

    @classmethod
    def of(
        cls, names: Sequence[str], mean: FloatArray, covariance: FloatArray, sets: Iterable[Any]
    ) -> Scale:
        """Scale of covariates with these moments.

        Raises `DegenerateDataError` that names the constant covariates, and those of each of `sets` (the covariates
        of one process) of which one is a linear combination of the others.
        """
        # Below this the variance is what rounding left of equal values.
        noise = 1e-12 * (mean**2 + np.finfo(float).tiny)
        constant = [n for n, v, e in zip(names, np.diag(covariance), noise, strict=True) if v <= e]
        if constant:
            raise DegenerateDataError(
                f"summary: covariate(s) {', '.join(constant)} are the same for every customer, so they cannot explain "
                "a difference; leave them out"
            )
        spread = np.sqrt(np.diag(covariance))
        correlation = covariance / np.outer(spread, spread)
        for chosen in sets:
            at = [names.index(name) for name in chosen]
            values, vectors = np.linalg.eigh(correlation[np.ix_(at, at)])
            if at and values[0] < COLLINEAR_BELOW:
                involved = [
                    names[i] for i, load in zip(at, vectors[:, 0], strict=True) if abs(load) > 1e-3
                ]
                raise DegenerateDataError(
                    f"summary: covariates {', '.join(involved)} are collinear: one is a linear combination of the "
                    "others; leave one of them out (of k categories give k - 1 indicators)"
                )
        return cls(
            dict(zip(names, mean.tolist(), strict=True)),
            dict(zip(names, spread.tolist(), strict=True)),
        )

    def standardise(self, columns: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Columns with each covariate centred and divided by its spread."""
        return {
            name: (values - self.mean[name]) / self.spread[name] if name in self.mean else values
            for name, values in columns.items()
        }
