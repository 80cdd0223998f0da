"""The questions asked of every purchase model, and how rows reach the formulas."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from clvspark.clv.models.base import LifetimeModel
from clvspark.clv.models.errors import DegenerateDataError, InvalidArgumentError
from clvspark.clv.models.summary import FloatArray, Groups, check_transaction_columns
from clvspark.clv.models.units import choose_discount_rate

TRIPLE = ("frequency", "recency", "T")


class TransactionModel(LifetimeModel):
    """A model of when customers buy and when they stop, fitted to (frequency, recency, T).

    A summary has one row per customer: frequency (repeat purchase days), recency (last - first
    purchase) and T (cut-off - first purchase), both in `time_unit`, and optionally weight
    (customers per row). Predictions give a Series for a pandas frame, the frame with one more
    column for a Spark frame, and an array for a mapping of arrays.
    """

    fit_columns: ClassVar[tuple[str, ...]] = TRIPLE

    def expected_probability_alive(self, summary: Any) -> Any:
        """Probability that each customer is still active at T (column `p_alive`)."""

        def score(
            model: TransactionModel, x: FloatArray, t_x: FloatArray, age: FloatArray
        ) -> FloatArray:
            return model._probability_alive(x, t_x, age)

        return self._predict_customers(summary, "p_alive", score)

    def expected_purchases(self, summary: Any, *, future_t: float) -> Any:
        """Expected purchases of each customer in (T, T + future_t] (`expected_purchases`)."""
        future_t = _duration("future_t", future_t)

        def score(
            model: TransactionModel, x: FloatArray, t_x: FloatArray, age: FloatArray
        ) -> FloatArray:
            return model._expected_purchases(x, t_x, age, future_t)

        return self._predict_customers(summary, "expected_purchases", score)

    def expected_purchases_new_customer(self, *, t: ArrayLike) -> Any:
        """Expected repeat purchases of a new customer in the first `t` time units, E[X(t)].

        A number for a number, an array for an array of durations.
        """
        self._theta()
        durations = np.asarray(t, dtype=np.float64)
        if not np.all(np.isfinite(durations) & (durations >= 0)):
            raise InvalidArgumentError("t: must be finite numbers >= 0, in the model's time unit")
        values = [self._purchases_new_customer(float(one)) for one in durations.ravel()]
        return values[0] if durations.ndim == 0 else np.array(values).reshape(durations.shape)

    def discounted_expected_residual_transactions(
        self,
        summary: Any,
        *,
        annual_discount_rate: float | None = None,
        discount_rate_per_unit: float | None = None,
        horizon: float | None = None,
    ) -> Any:
        """Present value at T of the expected future purchases of each customer (DERT).

        Exactly one rate is given: `annual_discount_rate`, effective a year and converted to the
        model's time unit, or `discount_rate_per_unit`, the delta of the literature, which is
        compounded continuously. Without `horizon` (in time units) the whole future counts, and
        the rate must be > 0, because the undiscounted sum may be infinite. Column
        `discounted_expected_transactions`.
        """
        delta = choose_discount_rate(annual_discount_rate, discount_rate_per_unit, self.time_unit)
        limit = math.inf if horizon is None else _duration("horizon", horizon)
        if delta == 0 and math.isinf(limit):
            raise InvalidArgumentError(
                "discount rate: must be > 0 for an unlimited future; give a positive rate "
                "or a finite horizon"
            )

        def score(
            model: TransactionModel, x: FloatArray, t_x: FloatArray, age: FloatArray
        ) -> FloatArray:
            return model._discounted_purchases(x, t_x, age, delta, limit)

        return self._predict_customers(summary, "discounted_expected_transactions", score)

    def probability_of_n_purchases(self, *, n: ArrayLike, t: float) -> FloatArray:
        """P(X(t) = n) that a new customer makes n repeat purchases in the first t time units."""
        self._theta()
        counts = np.atleast_1d(np.asarray(n, dtype=np.float64))
        if not np.all((counts >= 0) & (counts == np.floor(counts)) & np.isfinite(counts)):
            raise InvalidArgumentError("n: must be whole numbers >= 0")
        return self._count_pmf(counts, _duration("t", t))

    def alive_by_stage(self, histories: Mapping[str, FloatArray]) -> FloatArray:
        """P(alive at T in each stage of the rhythm of purchases), stage x customer.

        Without a rhythm there is one stage. Stages sum to `expected_probability_alive`.
        """

        def score(
            model: TransactionModel, x: FloatArray, t_x: FloatArray, age: FloatArray
        ) -> FloatArray:
            return model._alive_by_stage(x, t_x, age)

        return np.asarray(self._predict_customers(histories, "alive_by_stage", score))

    def future_purchase_counts(
        self, histories: Mapping[str, FloatArray], *, future_t: float, most: int
    ) -> FloatArray:
        """P(n purchases in (T, T + future_t] | history, alive at T), stage x customer x 0..most.

        They depend on the stage, frequency, T and covariates. Weighted with `alive_by_stage`, plus
        1 - P(alive) at n = 0, these are the purchases of any customer.
        """

        def score(
            model: TransactionModel, x: FloatArray, t_x: FloatArray, age: FloatArray
        ) -> FloatArray:
            del t_x
            return model._counts_by_stage(x, age, _duration("future_t", future_t), most)

        return np.asarray(self._predict_customers(histories, "future_purchase_counts", score))

    def most_future_purchases(
        self, histories: Mapping[str, FloatArray], *, future_t: float
    ) -> FloatArray:
        """How many purchases in (T, T + future_t] hardly anybody of such a history exceeds."""

        def score(
            model: TransactionModel, x: FloatArray, t_x: FloatArray, age: FloatArray
        ) -> FloatArray:
            del t_x
            return model._most_if_alive(x, age, _duration("future_t", future_t))

        return np.asarray(self._predict_customers(histories, "most_future_purchases", score))

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns by which customers of equal histories differ; most models have none."""
        return ()

    def _predict_customers(
        self, summary: Any, output: str, score: Callable[..., FloatArray]
    ) -> Any:
        """Apply `score(model, x, t_x, T)`, where `model` has the parameters of these customers."""
        return self._predict(summary, output, TRIPLE, partial(score, self))

    def _check_columns(self, columns: Mapping[str, FloatArray]) -> None:
        check_transaction_columns(columns)

    def _refuse_degenerate(self, groups: Groups) -> None:
        if not np.any(groups["frequency"] > 0):
            raise DegenerateDataError(
                "summary.frequency: 0 for every customer; at least some repeat purchases are "
                "needed to estimate rates; lengthen the history"
            )

    @staticmethod
    def _purchase_rate(groups: Groups) -> float:
        """Repeat purchases per customer and time unit, for starting values."""
        return groups.mean("frequency") / groups.mean("T")

    @abstractmethod
    def _probability_alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        """P(alive at T | x, t_x, T)."""

    @abstractmethod
    def _expected_purchases(
        self, x: FloatArray, t_x: FloatArray, age: FloatArray, t: float
    ) -> FloatArray:
        """E[purchases in (T, T + t] | x, t_x, T]."""

    @abstractmethod
    def _discounted_purchases(
        self, x: FloatArray, t_x: FloatArray, age: FloatArray, delta: float, horizon: float
    ) -> FloatArray:
        """Discounted expected purchases in (T, T + horizon], given x, t_x, T."""

    @abstractmethod
    def _alive_by_stage(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        """P(alive at T in each stage | x, t_x, T), stage x customer."""

    @abstractmethod
    def _counts_by_stage(self, x: FloatArray, age: FloatArray, t: float, most: int) -> FloatArray:
        """P(n purchases in (T, T + t] | x, T, alive in the stage), stage x customer x 0..most."""

    @abstractmethod
    def _most_if_alive(self, x: FloatArray, age: FloatArray, t: float) -> FloatArray:
        """Purchases in (T, T + t] that a customer who stays exceeds with probability below 1e-6."""

    @abstractmethod
    def _purchases_new_customer(self, t: float) -> float:
        """E[X(t)] of a customer drawn from the population."""

    @abstractmethod
    def _count_pmf(self, n: FloatArray, t: float) -> FloatArray:
        """P(X(t) = n) of a customer drawn from the population."""


def _duration(name: str, value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise InvalidArgumentError(
            f"{name}: must be a finite number >= 0 in the model's time unit; got {value!r}"
        )
    return float(value)
