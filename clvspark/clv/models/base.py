"""What every lifetime-value model shares: fitting weighted groups, and a JSON-able document."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvspark.clv.models import spark_frames
from clvspark.clv.models.errors import (
    DegenerateDataError,
    InvalidArgumentError,
    InvalidModelDocumentError,
    NotFittedError,
)
from clvspark.clv.models.fitting import Objective, maximise
from clvspark.clv.models.resampling import resample_maxima
from clvspark.clv.models.summary import FloatArray, Groups, condense, read_columns, read_weight
from clvspark.clv.models.units import TimeUnit

DOCUMENT_VERSION = 1

SCREENING_GROUPS = 2_000
"""Starts are compared on a systematic sample of about this many groups when there are more."""

MAX_GROUPS = 5_000_000
"""Distinct rows the driver collects from Spark unless told otherwise (about 200 MB)."""


class LifetimeModel(ABC):
    """A probability model of customers, fitted by maximum likelihood.

    Parameters
    ----------
    time_unit : "day", "week", "month" or "year"
        Unit of recency, T and every horizon. Mandatory: the parameters mean nothing without it.

    Attributes after `fit`
    ----------------------
    params_ : estimates by name.
    standard_errors_ : Wald standard errors by name (delta method from log-parameters).
    log_covariance_ : covariance of the logarithms of the parameters, in the order of `params_`;
        of `signed_parameters` themselves.
    log_likelihood_ : total log-likelihood, in the time unit of the data.
    n_customers_, n_triples_ : customers fitted, and distinct rows they were condensed to.
    n_iterations_, converged_ : optimiser steps; always true after a `fit` that did not raise.
    """

    parameter_names: ClassVar[tuple[str, ...]]
    fit_columns: ClassVar[tuple[str, ...]]
    setting_names: ClassVar[tuple[str, ...]] = ()
    signed_parameters: ClassVar[frozenset[str]] = frozenset()
    """Parameters that may be negative, which are estimated as they are and not in logarithms."""

    def __init__(self, *, time_unit: TimeUnit | str) -> None:
        self.time_unit = TimeUnit.parse(time_unit)
        self._params: dict[str, float] | None = None
        self.log_likelihood_ = math.nan
        self.standard_errors_: dict[str, float] = {}
        self.log_covariance_: FloatArray = np.empty((0, 0))
        self.n_customers_ = 0.0
        self.n_triples_ = 0
        self.n_iterations_ = 0
        self.converged_ = False

    @property
    def params_(self) -> dict[str, float]:
        """Estimates by name; raises `NotFittedError` before `fit`."""
        if self._params is None:
            raise NotFittedError(
                f"{type(self).__name__}: has no parameters yet; call fit(summary) or from_dict()"
            )
        return dict(self._params)

    def fit(self, summary: Any, *, max_groups: int = MAX_GROUPS) -> Self:
        """Estimate the parameters from a pandas or Spark frame, or a mapping of arrays.

        The optional column `weight` counts the customers a row stands for. Of a Spark frame only
        the distinct rows are collected, at most `max_groups` of them.

        Raises `InvalidSummaryError` for rows that contradict their definition,
        `DegenerateDataError` for data without information about the model, and
        `ConvergenceError` when the likelihood has no verified interior maximum.
        """
        self._estimate(self._select_groups(self._read_groups(summary, max_groups)))
        return self

    def _estimate(self, groups: Groups) -> None:
        starts = [self._freed(np.array(start)) for start in self._starts(groups)]
        screening = None
        if len(groups) > 2 * SCREENING_GROUPS:
            screening = self._objective(groups.every(len(groups) // SCREENING_GROUPS))
        maximum = maximise(
            self._objective(groups),
            starts,
            names=self.parameter_names,
            n_customers=groups.n_customers,
            screening=screening,
        )
        values = self._bound(maximum.log_params)
        errors = self._slope(values) * np.sqrt(np.diag(maximum.log_covariance))
        self._params = _named(self.parameter_names, values)
        self.standard_errors_ = _named(self.parameter_names, errors)
        self.log_covariance_ = maximum.log_covariance
        self.log_likelihood_ = maximum.mean_log_likelihood * groups.n_customers
        self.n_customers_ = groups.n_customers
        self.n_triples_ = len(groups)
        self.n_iterations_ = maximum.n_iterations
        self.converged_ = True

    def log_likelihood(self, summary: Any, *, max_groups: int = MAX_GROUPS) -> float:
        """Total log-likelihood of a summary under the fitted parameters (e.g. of a holdout)."""
        groups = self._select_groups(self._read_groups(summary, max_groups))
        values, _ = self._log_likelihood_and_gradient(self._theta(), groups)
        return float(groups.weight @ values)

    def bootstrap(
        self, summary: Any, *, n_draws: int, seed: int, max_groups: int = MAX_GROUPS
    ) -> FloatArray:
        """Estimates refitted to resampled customers (draw x parameter), as in `unconstrained`.

        Each draw counts the customers of a distinct row anew, Poisson distributed around their
        number. The same rows and seed give the same draws, in whatever order the rows come.
        Raises `ConvergenceError` where most resamples do not identify the model.
        """
        groups = self._select_groups(self._read_groups(summary, max_groups))
        return resample_maxima(
            self._objective,
            groups,
            self.unconstrained(),
            names=self.parameter_names,
            n_draws=n_draws,
            seed=seed,
        )

    def unconstrained(self) -> FloatArray:
        """Estimates on the scale of `log_covariance_`: logarithms, but for signed parameters."""
        return self._freed(self._theta())

    def with_unconstrained(self, values: FloatArray) -> Self:
        """A copy, settings and all, with other parameters on that scale, e.g. a draw of them."""
        other = copy(self)
        params = self._checked(_named(self.parameter_names, self._bound(values)))
        vars(other).update(_params=params)
        return other

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted model as JSON-able values, enough to score without unpickling."""
        return {
            "version": DOCUMENT_VERSION,
            "model": type(self).__name__,
            "time_unit": self.time_unit.value,
            "params": self.params_,
            "standard_errors": dict(self.standard_errors_),
            "log_covariance": self.log_covariance_.tolist(),
            "log_likelihood": finite_or_none(self.log_likelihood_),
            "n_customers": self.n_customers_,
            "n_triples": self.n_triples_,
            "n_iterations": self.n_iterations_,
            "converged": self.converged_,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Rebuild a model from `to_dict`; raises `InvalidModelDocumentError` if it is no such."""
        if document.get("model") != cls.__name__ or document.get("version") != DOCUMENT_VERSION:
            raise InvalidModelDocumentError(
                f"document: describes model {document.get('model')!r}, version "
                f"{document.get('version')!r}; allowed: {cls.__name__!r}, {DOCUMENT_VERSION}; "
                "use the class it names, or fit again"
            )
        try:
            settings = {name: document[name] for name in cls.setting_names}
            model = cls.from_params(document["params"], time_unit=document["time_unit"], **settings)
            cls._restore_diagnostics(model, document)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidModelDocumentError(
                f"document: {type(error).__name__}: {error}; write documents with to_dict()"
            ) from error
        return model

    @classmethod
    def from_params(
        cls, params: Mapping[str, float], *, time_unit: TimeUnit | str, **settings: Any
    ) -> Self:
        """Make a model of known parameters, e.g. published ones or a draw of them.

        `settings` are further arguments of the constructor.
        """
        model = cls(time_unit=time_unit, **settings)
        model._params = cls._checked(params)
        return model

    def _restore_diagnostics(self, document: Mapping[str, Any]) -> None:
        self.standard_errors_ = _floats(document["standard_errors"])
        self.log_covariance_ = np.array(document["log_covariance"], dtype=np.float64)
        self.log_likelihood_ = float_or_nan(document["log_likelihood"])
        self.n_customers_ = float(document["n_customers"])
        self.n_triples_ = int(document["n_triples"])
        self.n_iterations_ = int(document["n_iterations"])
        self.converged_ = bool(document["converged"])

    @classmethod
    def _checked(cls, params: Mapping[str, float]) -> dict[str, float]:
        values = {name: float(params[name]) for name in cls.parameter_names if name in params}
        allowed = all(
            math.isfinite(value) and (value > 0 or name in cls.signed_parameters)
            for name, value in values.items()
        )
        if not allowed or set(params) != set(cls.parameter_names):
            signed = ", ".join(sorted(cls.signed_parameters))
            raise InvalidArgumentError(
                f"params: {cls.__name__} has exactly {', '.join(cls.parameter_names)}, each a "
                "finite number > 0" + (f" ({signed}: of either sign)" if signed else "")
            )
        return values

    @classmethod
    def _is_signed(cls) -> NDArray[np.bool_]:
        return np.array([name in cls.signed_parameters for name in cls.parameter_names])

    @classmethod
    def _freed(cls, theta: FloatArray) -> FloatArray:
        """Parameters as the optimiser sees them: any number is allowed."""
        signed = cls._is_signed()
        return np.where(signed, theta, np.log(np.where(signed, 1.0, theta)))

    @classmethod
    def _bound(cls, free: FloatArray) -> FloatArray:
        """The inverse of `_freed`."""
        signed = cls._is_signed()
        with np.errstate(over="ignore"):
            return np.where(signed, free, np.exp(np.where(signed, 0.0, free)))

    @classmethod
    def _slope(cls, theta: FloatArray) -> FloatArray:
        """Derivative of the parameters by their unconstrained values."""
        return np.where(cls._is_signed(), 1.0, theta)

    def _theta(self) -> FloatArray:
        return np.array(list(self.params_.values()))

    def _objective(self, groups: Groups) -> Objective:
        share = groups.weight / groups.n_customers

        def objective(log_params: FloatArray) -> tuple[float, FloatArray]:
            theta = self._bound(log_params)
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                values, gradient = self._log_likelihood_and_gradient(theta, groups)
                # The chain rule of theta = exp(log_params) multiplies by theta.
                return float(share @ values), self._slope(theta) * (gradient @ share)

        return objective

    def _read_groups(self, summary: Any, max_groups: int) -> Groups:
        if spark_frames.is_spark_frame(summary):
            summary = spark_frames.collect_groups(summary, self.fit_columns, max_groups=max_groups)
        columns = read_columns(summary, self.fit_columns)
        n_rows = len(columns[self.fit_columns[0]])
        weight = read_weight(summary, n_rows)
        self._check_columns(columns)
        groups = condense(columns, weight)
        if len(groups) == 0:
            raise DegenerateDataError(
                "summary: has no customers (no rows, or only rows of weight 0); at least two "
                "different customers are needed; check the filter that made it"
            )
        return groups

    def _predict(
        self, summary: Any, output: str, names: Sequence[str], score: Callable[..., FloatArray]
    ) -> Any:
        """Apply `score(**columns)`: Series for pandas, a new column for Spark, else an array."""
        self._theta()  # fails here, not on an executor, when the model is not fitted

        def predict(source: Any) -> FloatArray:
            columns = read_columns(source, names)
            self._check_columns(columns)
            return score(*columns.values())

        if spark_frames.is_spark_frame(summary):
            return spark_frames.append_prediction(summary, names, output, predict)
        values = predict(summary)
        if isinstance(summary, pd.DataFrame):
            return pd.Series(values, index=summary.index, name=output)
        return values

    def _select_groups(self, groups: Groups) -> Groups:
        """Return the groups that enter the likelihood; raise `DegenerateDataError` if too few."""
        return groups

    @abstractmethod
    def _check_columns(self, columns: Mapping[str, FloatArray]) -> None:
        """Raise `InvalidSummaryError` for rows that contradict their definition."""

    @abstractmethod
    def _starts(self, groups: Groups) -> list[tuple[float, ...]]:
        """Return starting parameters; the first sets the natural scale of each."""

    @abstractmethod
    def _log_likelihood_and_gradient(
        self, theta: FloatArray, groups: Groups
    ) -> tuple[FloatArray, FloatArray]:
        """Log-likelihood of one customer of each group, and its gradient (parameter x group)."""


def _named(names: Sequence[str], values: FloatArray) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _floats(values: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in values.items()}


def finite_or_none(value: float) -> float | None:
    """NaN as None, which JSON can hold."""
    return value if math.isfinite(value) else None


def float_or_nan(value: float | None) -> float:
    """None as NaN: the inverse of `finite_or_none`."""
    return math.nan if value is None else float(value)
