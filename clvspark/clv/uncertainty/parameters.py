"""Draws of a model's parameters: which other parameters the same data could have come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

import numpy as np

from clvspark.clv.models.base import LifetimeModel
from clvspark.clv.models.errors import InvalidArgumentError
from clvspark.clv.models.summary import FloatArray

Model = TypeVar("Model", bound=LifetimeModel)


class ParameterDraws(Generic[Model]):
    """Parameters as uncertain as the data leave them, as a sample of models.

    `from_bootstrap` refits to resampled customers and holds near a bound, where a parameter is
    skewed; `from_covariance` draws from the normal distribution of the unconstrained parameters,
    costs nothing, and is as good with thousands of customers. Both are functions of their seed.

    Attributes
    ----------
    models : the fitted model with the parameters of each draw.
    values : unconstrained parameters (draw x parameter).
    """

    def __init__(self, model: Model, values: FloatArray) -> None:
        self.values = values
        self.models = [model.with_unconstrained(row) for row in values]

    @classmethod
    def from_covariance(cls, model: Model, *, n_draws: int = 100, seed: int) -> Self:
        """Draws around the estimates by their covariance (the asymptotic distribution)."""
        centre, covariance = model.unconstrained(), covariance_of(model)
        rng = np.random.default_rng(seed)
        return cls(model, rng.multivariate_normal(centre, covariance, n_draws, method="cholesky"))

    @classmethod
    def from_bootstrap(cls, model: Model, summary: Any, *, n_draws: int = 100, seed: int) -> Self:
        """Refits to Poisson-resampled customers of the summary that `model` was fitted to.

        Raises `ConvergenceError`; see `LifetimeModel.bootstrap`.
        """
        return cls(model, model.bootstrap(summary, n_draws=n_draws, seed=seed))

    @property
    def covariance(self) -> FloatArray:
        """Covariance of the unconstrained parameters over the draws."""
        return np.cov(self.values, rowvar=False)

    def evaluate(self, ask: Callable[[Model], Any]) -> FloatArray:
        """What each draw answers (draw x customer), e.g. its expected purchases."""
        return np.array([np.asarray(ask(model)) for model in self.models])

    def interval(
        self, ask: Callable[[Model], Any], *, level: float = 0.8
    ) -> tuple[FloatArray, FloatArray]:
        """Central interval of what is asked, from the quantiles of the draws."""
        return _central(self.evaluate(ask), level)

    def parameter_intervals(self, *, level: float = 0.8) -> dict[str, tuple[float, float]]:
        """Central interval of each parameter, by name."""
        draws = np.array([list(model.params_.values()) for model in self.models])
        low, high = _central(draws, level)
        names = self.models[0].params_
        return {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}


def _central(draws: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Ends that hold `level` of another draw, however few the draws are (Weibull's positions)."""
    low, high = np.quantile(draws, tails(level), axis=0, method="weibull")
    return low, high


def covariance_of(model: LifetimeModel) -> FloatArray:
    """Covariance of a fitted model's unconstrained parameters; of known ones there is none."""
    size = len(model.params_)
    if model.log_covariance_.shape != (size, size):
        raise InvalidArgumentError(
            f"model: {type(model).__name__} has no covariance of its parameters; fit it, or take "
            "it from the document of a fit"
        )
    return model.log_covariance_


def tails(level: float) -> tuple[float, float]:
    """Probabilities of the two ends of a central interval."""
    if not 0.0 < level < 1.0:
        raise InvalidArgumentError(f"level: must lie between 0 and 1 (0.8 is 80 %); got {level!r}")
    return (1.0 - level) / 2.0, (1.0 + level) / 2.0
