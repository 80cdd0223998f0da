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
from clvspark.clv.models.fitting import ManyObjective, Maximum, Objective, maximise
from clvspark.clv.models.in_blocks import sum_in_blocks
from clvspark.clv.models.resampling import resample_maxima
from clvspark.clv.models.summary import FloatArray, Groups, condense, read_columns, read_weight
from clvspark.clv.models.units import TimeUnit

DOCUMENT_VERSION = 1

SCREENING_GROUPS = 2_000
"""Starts are compared on a systematic sample of about this many groups when there are more."""

MAX_GROUPS = 5_000_000
"""Distinct rows the driver collects from Spark unless told otherwise (about 200 MB)."""

WALD_95 = 1.959963984540054
"""Half the width of a 95 % interval, in standard errors."""


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
        of `signed_parameters`, and of coefficients of covariates, themselves.
    log_likelihood_ : total log-likelihood, in the time unit of the data.
    n_customers_, n_triples_ : customers fitted, and distinct rows they were condensed to.
    n_iterations_, converged_ : optimiser steps; always true after a `fit` that did not raise.
    """

    parameter_names: ClassVar[tuple[str, ...]]
    fit_columns: ClassVar[tuple[str, ...]]
    parameter_aliases: ClassVar[Mapping[str, str]] = {}
    """Other published names of parameters, with ours; `from_params` takes either."""
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
        self._estimate(self._estimable_groups(self._read_groups(summary, max_groups)))
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
        sample = self._estimable_groups(sample)
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
        errors = self._slopes(values) * np.sqrt(np.diag(maximum.log_covariance))
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

    def bootstrap(
        self, summary: Any, *, n_draws: int, seed: int, max_groups: int = MAX_GROUPS
    ) -> FloatArray:
        """Estimates refitted to resampled customers (draw x parameter), as in `unconstrained`.

        Each draw counts the customers of a distinct row anew, Poisson distributed around their
        number. The same rows and seed give the same draws, in whatever order the rows come.
        Raises `ConvergenceError` where most resamples do not identify the model.
        """
        groups = self._estimable_groups(self._read_groups(summary, max_groups))
        return resample_maxima(
            self._objective,
            groups,
            self.unconstrained(),
            names=self._names(),
            n_coefficients=self._n_coefficients,
            n_draws=n_draws,
            seed=seed,
        )

    def unconstrained(self) -> FloatArray:
        """Estimates on the scale of `log_covariance_`, in the order of `params_`."""
        return self._to_working(np.array(list(self.params_.values())))

    def with_unconstrained(
        self, values: FloatArray, *, covariance: FloatArray | None = None
    ) -> Self:
        """A copy, settings and all, with other parameters on that scale, e.g. a draw or a mean of them.

        `covariance` is how far these are known, on that scale; that of the original if None.
        """
        other = copy(self)
        estimates = self._from_working(np.asarray(values, dtype=np.float64))
        vars(other).update(_params=self._checked(_named(self._names(), estimates)))
        if covariance is not None:
            errors = self._slopes(estimates) * np.sqrt(np.diag(covariance))
            vars(other).update(
                log_covariance_=covariance, standard_errors_=_named(self._names(), errors)
            )
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

        `settings` are further arguments of the constructor. Where a source names a parameter otherwise
        (`parameter_aliases`), its name is understood as well.
        """
        model = cls(time_unit=time_unit, **settings)
        model._params = model._checked(params)
        return model

    @classmethod
    def _settings_of(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        return {name: document[name] for name in cls.setting_names}

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
        names, logarithms = self._names(), self.is_logarithm()
        ours = [self.parameter_aliases.get(name, name) for name in params]
        renamed = dict(zip(ours, params.values(), strict=True))
        values = {name: float(renamed[name]) for name in names if name in renamed}
        positive = {name for name, is_one in zip(names, logarithms, strict=True) if is_one}
        finite = all(math.isfinite(value) for value in values.values())
        allowed = finite and all(value > 0 for name, value in values.items() if name in positive)
        if not allowed or sorted(ours) != sorted(names):
            signed = ", ".join(name for name in names if name not in positive)
            aliases = ", ".join(
                f"{our} may be called {its}" for its, our in self.parameter_aliases.items()
            )
            raise InvalidArgumentError(
                f"params: {type(self).__name__} has exactly {', '.join(names)}, each a finite "
                "number > 0"
                + (f" ({signed}: of either sign)" if signed else "")
                + (f"; {aliases}" if aliases else "")
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

    def is_logarithm(self) -> NDArray[np.bool_]:
        """Which of the estimated are positive, and therefore estimated as logarithms."""
        positive = {*self.parameter_names} - self.signed_parameters
        return np.array([name in positive for name in self._names()])

    def _from_working(self, working: FloatArray) -> FloatArray:
        """Values as they are, of what the optimiser sees: any number is allowed there."""
        is_logarithm = self.is_logarithm()[: len(working)]
        with np.errstate(over="ignore"):
            return np.where(is_logarithm, np.exp(np.where(is_logarithm, working, 0.0)), working)

    def _to_working(self, values: FloatArray) -> FloatArray:
        """The inverse of `_from_working`; of the parameters alone where there are no coefficients."""
        is_logarithm = self.is_logarithm()[: len(values)]
        return np.where(is_logarithm, np.log(np.where(is_logarithm, values, 1.0)), values)

    def _slopes(self, values: FloatArray) -> FloatArray:
        """Derivative of the values by what the optimiser sees."""
        return np.where(self.is_logarithm(), values, 1.0)

    def _working_starts(self, groups: Groups) -> list[FloatArray]:
        return [self._to_working(np.array(start)) for start in self._starts(groups)]

    def _objective(self, groups: Groups) -> Objective:
        shares = Groups(groups.columns, groups.weight / groups.n_customers)
        total = sum_in_blocks(shares)
        return lambda working: total(
            lambda block: self.sum_log_likelihood(working, block, block.weight)
        )

    def sum_log_likelihood(
        self, working: FloatArray, groups: Groups, weight: FloatArray
    ) -> tuple[float, FloatArray]:
        """Weighted sum of the log-likelihood, and its gradient by what is estimated."""
        theta = self._from_working(working)
        values, gradient = self._log_likelihood_and_gradient(theta, groups)
        # The chain rule of theta = exp(working) multiplies by theta.
        return float(weight @ values), self._slopes(theta) * (gradient @ weight)

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

    def _estimable_groups(self, groups: Groups) -> Groups:
        """The groups that enter the likelihood; `DegenerateDataError` where they cannot determine the parameters."""
        selected = self._select_groups(groups)
        self._refuse_degenerate(selected)
        return selected

    def _select_groups(self, groups: Groups) -> Groups:
        """The groups that enter the likelihood."""
        return groups

    def _refuse_degenerate(self, groups: Groups) -> None:  # noqa: B027 - none is too little for some models
        """Raise `DegenerateDataError` where the groups that enter the likelihood say too little to be fitted."""

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
