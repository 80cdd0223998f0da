"""Purchase models whose customers differ by time-invariant covariates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from clvspark.clv.models.base import MAX_GROUPS
from clvspark.clv.models.covariates import Effect, Effects, Scale
from clvspark.clv.models.errors import InvalidArgumentError, TooManyGroupsError
from clvspark.clv.models.fitting import Maximum
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.summary import (
    WEIGHT,
    FloatArray,
    Groups,
    distinct_rows,
    read_columns,
    require,
)
from clvspark.clv.models.transactions import TRIPLE
from clvspark.clv.models.units import TimeUnit


class CovariateModel(MemorylessModel):
    """A purchase model that may take time-invariant covariates of purchasing and of dropout.

    Parameters
    ----------
    purchase_covariates, dropout_covariates : names of numeric columns of the summary.

    The parameters in `purchase_effects` and `dropout_effects` become theta_0 exp(sign * coefficients . z) for a
    customer with covariates z; `params_` has theta_0 under the name of the parameter, and the coefficients as
    ``purchase_coefficient_alpha_<column>`` and so on. A positive purchase coefficient means more purchases; of an
    indicator, exp(coefficient) times as many while alive.

    Source: Fader and Hardie (2007), "Incorporating time-invariant covariates into the Pareto/NBD and BG/NBD models".
    """

    setting_names: ClassVar[tuple[str, ...]] = ("purchase_covariates", "dropout_covariates")
    purchase_effects: ClassVar[dict[str, float]]
    dropout_effects: ClassVar[dict[str, float]]

    def __init__(
        self,
        *,
        time_unit: TimeUnit | str,
        purchase_covariates: Sequence[str] = (),
        dropout_covariates: Sequence[str] = (),
    ) -> None:
        super().__init__(time_unit=time_unit)
        self.purchase_covariates = _column_names("purchase_covariates", purchase_covariates)
        self.dropout_covariates = _column_names("dropout_covariates", dropout_covariates)
        processes = (
            ("purchase", self.purchase_effects, self.purchase_covariates),
            ("dropout", self.dropout_effects, self.dropout_covariates),
        )
        self._effects = Effects(
            self.parameter_names,
            tuple(
                Effect(process, parameter, sign, columns)
                for process, signs, columns in processes
                for parameter, sign in signs.items()
                if columns
            ),
        )
        self._customers: list[Any] | None = None

    def fit(self, summary: Any, *, max_groups: int = MAX_GROUPS) -> Self:
        """Estimate the parameters, and the coefficients of covariates; see `LifetimeModel.fit`.

        Rows of a Spark frame that differ in more than `max_groups` ways, as those of continuous covariates do, are
        not collected: the likelihood is summed on the executors at every step. Raises `DegenerateDataError` for
        constant or collinear covariates, and `ConvergenceError` with the name of a coefficient that runs off to
        infinity, as where only customers of one kind ever came back.
        """
        try:
            return super().fit(summary, max_groups=max_groups)
        except TooManyGroupsError:
            if not self.covariates:
                raise
        from clvspark.clv.models.spark_fit import maximise_on_executors

        maximum, n_customers, n_rows = maximise_on_executors(self, summary)
        self._keep(maximum, n_customers=n_customers, n_triples=n_rows)
        return self

    def customer_parameters(self, summary: Any) -> pd.DataFrame:
        """Parameters of each customer of a pandas frame or mapping, by name: alpha_i and so on."""
        columns = read_columns(summary, [*TRIPLE, *self.covariates])
        self._check_columns(columns)
        n_rows = len(columns[TRIPLE[0]])
        values = [np.broadcast_to(value, n_rows) for value in self._theta_of(columns)]
        index = summary.index if isinstance(summary, pd.DataFrame) else None
        return pd.DataFrame(dict(zip(self.parameter_names, values, strict=True)), index=index)

    def of_customers(self, covariates: Mapping[str, float]) -> Self:
        """The plain model of the customers with these covariates, all of which must be given.

        Its parameters are theirs, and so is the covariance of these: their logarithms are linear in what was estimated.
        """
        self._with(covariates)  # refuses others than its own
        theta = self._theta_of(covariates)
        plain = type(self).from_params(
            dict(zip(self.parameter_names, map(float, theta), strict=True)),
            time_unit=self.time_unit,
        )
        if self.log_covariance_.size:
            slope = self._effects.log_jacobian(covariates)
            plain.log_covariance_ = slope @ self.log_covariance_ @ slope.T
        return plain

    def expected_purchases_new_customer(
        self, *, t: ArrayLike, covariates: Mapping[str, float] | None = None
    ) -> Any:
        """See `TransactionModel`; of a new customer with these covariates, all of which must be given."""
        return super(CovariateModel, self._with(covariates)).expected_purchases_new_customer(t=t)

    def probability_of_n_purchases(
        self, *, n: ArrayLike, t: float, covariates: Mapping[str, float] | None = None
    ) -> FloatArray:
        """See `TransactionModel`; of a new customer with these covariates, all of which must be given."""
        return super(CovariateModel, self._with(covariates)).probability_of_n_purchases(n=n, t=t)

    def to_dict(self) -> dict[str, Any]:
        """See `LifetimeModel.to_dict`; with the names of the covariates, if there are any."""
        document = super().to_dict()
        if self.covariates:
            document |= {name: list(getattr(self, name)) for name in self.setting_names}
        return document

    @classmethod
    def _settings_of(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        return {name: document.get(name, ()) for name in cls.setting_names}

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns of all covariates, each once."""
        return tuple(dict.fromkeys(self.purchase_covariates + self.dropout_covariates))

    def _names(self) -> tuple[str, ...]:
        return self.parameter_names + self._effects.names

    @property
    def summary_columns(self) -> tuple[str, ...]:
        """See `LifetimeModel.summary_columns`; with the covariates."""
        return (*self.fit_columns, *self.covariates)

    def _theta(self) -> Any:
        return super()._theta() if self._customers is None else self._customers

    def _theta_of(self, columns: Mapping[str, Any]) -> Any:
        if not self.covariates:
            return self._theta()
        coefficients = np.array([self.params_[name] for name in self._effects.names])
        return self._effects.theta_of(super()._theta(), coefficients, columns)

    def _of(self, theta: list[Any]) -> Self:
        """A copy with parameters of individual customers in place of its own."""
        model = copy(self)
        vars(model).update(_customers=theta)
        return model

    def _with(self, covariates: Mapping[str, float] | None) -> Self:
        given, names = dict(covariates or {}), self.covariates
        if set(given) != set(names) or not all(np.isfinite(value) for value in given.values()):
            raise InvalidArgumentError(
                f"covariates: this model has exactly {', '.join(names) or 'none'}; give a finite number for each"
            )
        return self._of(list(self._theta_of(given))) if names else self

    def _check_columns(self, columns: Mapping[str, FloatArray]) -> None:
        super()._check_columns(columns)
        for name in self.covariates:
            if name in columns:
                require(np.isfinite(columns[name]), name, "is missing or not finite", "a number")

    def _predict_customers(
        self, summary: Any, output: str, score: Callable[..., FloatArray]
    ) -> Any:
        names = self.covariates
        if not names:
            return super()._predict_customers(summary, output, score)

        def score_with(*columns: FloatArray) -> FloatArray:
            triple, known = columns[: len(TRIPLE)], columns[len(TRIPLE) :]
            theta = self._theta_of(dict(zip(names, known, strict=True)))
            return score(self._of(theta), *triple)

        return self._predict(summary, output, (*TRIPLE, *names), score_with)

    def _of_the_living(
        self, future: Callable[..., FloatArray], x: FloatArray, age: FloatArray
    ) -> FloatArray:
        if self._customers is None or len(x) == 0:
            return super()._of_the_living(future, x, age)
        theta = self._customers
        first, where = distinct_rows(x, age, *(value for value in theta if np.ndim(value)))
        model = self._of([value[first] if np.ndim(value) else value for value in theta])
        return future(model, x[first], age[first])[where]

    def _working_starts(self, groups: Groups) -> list[FloatArray]:
        no_effect = np.zeros(len(self._effects.names))
        return [np.append(start, no_effect) for start in super()._working_starts(groups)]

    def sum_log_likelihood(
        self, working: FloatArray, groups: Groups, weight: FloatArray
    ) -> tuple[float, FloatArray]:
        """See `LifetimeModel.sum_log_likelihood`; with the coefficients after the parameters."""
        if not self.covariates:
            return super().sum_log_likelihood(working, groups, weight)
        n = len(self.parameter_names)
        theta = self._effects.theta_of(np.exp(working[:n]), working[n:], groups.columns)
        values, gradient = self._log_likelihood_and_gradient(theta, groups)  # type: ignore[arg-type]
        return float(weight @ values), self._effects.chain(theta, gradient, groups.columns, weight)

    def _maximise(self, groups: Groups) -> Maximum:
        names = self.covariates
        if not names:
            return super()._maximise(groups)
        rows = np.array([groups[name] for name in names])
        mean = rows @ groups.weight / groups.n_customers
        centred = rows - mean[:, None]
        scale = self.scale_of(mean, centred * groups.weight @ centred.T / groups.n_customers)
        standardised = Groups(scale.standardise(groups.columns), groups.weight)
        return self.unscaled(super()._maximise(standardised), scale)

    def scale_of(self, mean: FloatArray, covariance: FloatArray) -> Scale:
        """The scale of the covariates, of these moments; see `Scale.of` for what it refuses."""
        sets = (self.purchase_covariates, self.dropout_covariates)
        return Scale.of(self.covariates, mean, covariance, sets)

    def unscaled(self, maximum: Maximum, scale: Scale) -> Maximum:
        """The same maximum in terms of the covariates as they were given."""
        matrix = self._effects.unscale(scale)
        working = matrix @ maximum.log_params
        self._effects.refuse_far_baseline(working, scale)
        return replace(
            maximum,
            log_params=working,
            log_covariance=matrix @ maximum.log_covariance @ matrix.T,
        )


def _column_names(argument: str, names: Sequence[str]) -> tuple[str, ...]:
    reserved = (*TRIPLE, WEIGHT)
    valid = not isinstance(names, str) and len(set(names)) == len(names)
    if not valid or any(name in reserved for name in names):
        raise InvalidArgumentError(
            f"{argument}: must be a sequence of different columns, none of them {', '.join(reserved)}"
        )
    return tuple(names)
