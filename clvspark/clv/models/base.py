"""What every lifetime-value model shares: fitting weighted groups, and a JSON-able document."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
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
from clvspark.clv.models.fitting import ManyObjective, Maximum, Objective, maximise
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
        coefficients of covariates, which may be negative, enter it as they are.
    log_likelihood_ : total log-likelihood, in the time unit of the data.
    n_customers_, n_triples_ : customers fitted, and distinct rows they were condensed to.
    n_iterations_, converged_ : optimiser steps; always true after a `fit` that did not raise.
    """

    parameter_names: ClassVar[tuple[str, ...]]
    fit_columns: ClassVar[tuple[str, ...]]
    setting_names: ClassVar[tuple[str, ...]] = ()

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

    @property
    def log_params_(self) -> FloatArray:
        """What `log_covariance_` is the covariance of: logarithms of the parameters, then coefficients."""
        values = np.array(list(self.params_.values()))
        is_logarithm = self._is_logarithm()
        values[is_logarithm] = np.log(values[is_logarithm])
        return values

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

    def check_summary(self, summary: Any) -> None:
        """Raise `InvalidSummaryError` for rows that contradict their definition."""
        columns = read_columns(summary, self.summary_columns)
        read_weight(summary, len(columns[self.summary_columns[0]]))
        self._check_columns(columns)

    def _estimate(self, groups: Groups) -> None:
        maximum = self._maximise(groups)
        self._keep(maximum, n_customers=groups.n_customers, n_triples=len(groups))

    def _maximise(self, groups: Groups) -> Maximum:
        screening = None
        if len(groups) > 2 * SCREENING_GROUPS:
            screening = self._objective(groups.every(len(groups) // SCREENING_GROUPS))
        return maximise(
            self._objective(groups),
            self._working_starts(groups),
            names=self._names(),
            n_customers=groups.n_customers,
            n_coefficients=self._n_coefficients,
            screening=screening,
        )

    def maximise_from(
        self, sample: Groups, *, together: ManyObjective, n_customers: float
    ) -> Maximum:
        """Maximum of a likelihood that is summed elsewhere, from the best start for a sample of the rows."""
        sample = self._select_groups(sample)
        return maximise(
            lambda point: together([point])[0],
            self._working_starts(sample),
            names=self._names(),
            n_customers=n_customers,
            n_coefficients=self._n_coefficients,
            screening=self._objective(sample),
            together=together,
        )

    def _keep(self, maximum: Maximum, *, n_customers: float, n_triples: int) -> None:
        values = self._from_working(maximum.log_params)
        slopes = np.where(self._is_logarithm(), values, 1.0)
        errors = slopes * np.sqrt(np.diag(maximum.log_covariance))
        self._params = _named(self._names(), values)
        self.standard_errors_ = _named(self._names(), errors)
        self.log_covariance_ = maximum.log_covariance
        self.log_likelihood_ = maximum.mean_log_likelihood * n_customers
        self.n_customers_ = n_customers
        self.n_triples_ = n_triples
        self.n_iterations_ = maximum.n_iterations
        self.converged_ = True

    def log_likelihood(self, summary: Any, *, max_groups: int = MAX_GROUPS) -> float:
        """Total log-likelihood of a summary under the fitted parameters (e.g. of a holdout)."""
        groups = self._select_groups(self._read_groups(summary, max_groups))
        values, _ = self._log_likelihood_and_gradient(self._theta_of(groups.columns), groups)
        return float(groups.weight @ values)

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
            settings = cls._settings_of(document)
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
        model._params = model._checked(params)
        return model

    @classmethod
    def _settings_of(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        return {name: document[name] for name in cls.setting_names}

    @classmethod
    def from_log_params(
        cls, log_params: FloatArray, *, time_unit: TimeUnit | str, **settings: Any
    ) -> Self:
        """Make a model of `log_params_`, e.g. a draw of them or a mean over models."""
        model = cls(time_unit=time_unit, **settings)
        values = model._from_working(np.asarray(log_params, dtype=np.float64))
        model._params = model._checked(_named(model._names(), values))
        return model

    def settings(self) -> dict[str, Any]:
        """Arguments with which the constructor makes such a model anew."""
        return {"time_unit": self.time_unit} | {n: getattr(self, n) for n in self.setting_names}

    def _restore_diagnostics(self, document: Mapping[str, Any]) -> None:
        self.standard_errors_ = _floats(document["standard_errors"])
        self.log_covariance_ = np.array(document["log_covariance"], dtype=np.float64)
        self.log_likelihood_ = float_or_nan(document["log_likelihood"])
        self.n_customers_ = float(document["n_customers"])
        self.n_triples_ = int(document["n_triples"])
        self.n_iterations_ = int(document["n_iterations"])
        self.converged_ = bool(document["converged"])

    def _checked(self, params: Mapping[str, float]) -> dict[str, float]:
        names, positive = self._names(), self.parameter_names
        values = {name: float(params[name]) for name in names if name in params}
        finite = all(math.isfinite(value) for value in values.values())
        allowed = finite and all(values[name] > 0 for name in positive if name in values)
        if not allowed or set(params) != set(names):
            coefficients = (
                "; coefficients may have either sign" if len(names) > len(positive) else ""
            )
            raise InvalidArgumentError(
                f"params: {type(self).__name__} has exactly {', '.join(names)}, each a finite "
                f"number > 0{coefficients}"
            )
        return values

    @property
    def is_fitted(self) -> bool:
        """Whether there are parameters to predict with."""
        return self._params is not None

    @property
    def summary_columns(self) -> tuple[str, ...]:
        """Columns of a summary on which the likelihood depends."""
        return self.fit_columns

    def _names(self) -> tuple[str, ...]:
        """Names of what is estimated: the parameters, then the coefficients of covariates."""
        return self.parameter_names

    def _theta(self) -> FloatArray:
        return np.array([self.params_[name] for name in self.parameter_names])

    def _theta_of(self, columns: Mapping[str, FloatArray]) -> Any:
        """Parameters of these customers: one value each, or one array of a value a row."""
        del columns
        return self._theta()

    @property
    def _n_coefficients(self) -> int:
        return len(self._names()) - len(self.parameter_names)

    def _is_logarithm(self) -> NDArray[np.bool_]:
        """Which of the estimated are positive, and therefore estimated as logarithms."""
        return np.arange(len(self._names())) < len(self.parameter_names)

    def _from_working(self, working: FloatArray) -> FloatArray:
        """Values in the order of `params_`, of logarithms and coefficients."""
        is_logarithm = self._is_logarithm()
        values = np.array(working, dtype=np.float64)
        values[is_logarithm] = np.exp(values[is_logarithm])
        return values

    def _working_starts(self, groups: Groups) -> list[FloatArray]:
        return [np.log(start) for start in self._starts(groups)]

    def _objective(self, groups: Groups) -> Objective:
        share = groups.weight / groups.n_customers

        def objective(working: FloatArray) -> tuple[float, FloatArray]:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                return self.sum_log_likelihood(working, groups, share)

        return objective

    def sum_log_likelihood(
        self, working: FloatArray, groups: Groups, weight: FloatArray
    ) -> tuple[float, FloatArray]:
        """Weighted sum of the log-likelihood, and its gradient by what is estimated."""
        theta = np.exp(working)
        values, gradient = self._log_likelihood_and_gradient(theta, groups)
        # The chain rule of theta = exp(working) multiplies by theta.
        return float(weight @ values), theta * (gradient @ weight)

    def _read_groups(self, summary: Any, max_groups: int) -> Groups:
        names = self.summary_columns
        if spark_frames.is_spark_frame(summary):
            summary = spark_frames.collect_groups(summary, names, max_groups=max_groups)
        columns = read_columns(summary, names)
        n_rows = len(columns[names[0]])
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
        """Log-likelihood of one customer of each group, and its gradient (parameter x group).

        `theta` holds the parameters; of models with covariates some are arrays of a value a group.
        """


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
