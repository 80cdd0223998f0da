"""The BG/CNBD-k and MBG/CNBD-k models of regular purchases."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import betaln, digamma, gammaln, logsumexp, xlogy

from clvspark.clv.models import spark_frames
from clvspark.clv.models.base import MAX_GROUPS
from clvspark.clv.models.errors import InvalidArgumentError, InvalidSummaryError
from clvspark.clv.models.future_counts import (
    geometric_dropout_counts,
    most_purchases,
    regular_counts,
)
from clvspark.clv.models.geometric_dropout import log_dropout_odds
from clvspark.clv.models.interpolation import interpolate_within_groups
from clvspark.clv.models.memoryless import by_pair
from clvspark.clv.models.regular_future import (
    discounted_future,
    discounted_future_within,
    expected_future,
    probability_at_least,
)
from clvspark.clv.models.summary import FloatArray, Groups, read_columns, read_weight
from clvspark.clv.models.transactions import TransactionModel
from clvspark.clv.models.units import TimeUnit

LOG_INTERVALS = "log_intervals"

MAX_REGULARITY = 12


class CondensedBetaGeoModel(TransactionModel):
    """BG/CNBD-k: BG/NBD whose purchases keep an Erlang-k rhythm, more regular than chance.

    Between two purchases lie k hidden Poisson events of rate lambda ~ Gamma(r, alpha); k = 1 is
    BG/NBD. The dropout probability after each purchase is p ~ Beta(a, b); with
    `dropout_at_first_purchase` (MBG/CNBD-k) customers may leave right after the first one.

    `regularity` is k. If it is None, `fit` raises k from 1 until the likelihood falls, as far as
    12; `regularity_` is the result. For k > 1 and for choosing it a summary needs one more column,
    `log_intervals`: the sum of the logarithms of the times between a customer's purchase days (0
    without repeat purchases).

    Source: Platzer and Reutterer (2016), "Ticking away the moments: timing regularity helps to
    better predict customer activity", Marketing Science 35(5), for the likelihood. Their
    expectations are approximate; here they are exact series (module `regular_future`).
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    setting_names: ClassVar[tuple[str, ...]] = ("regularity", "dropout_at_first_purchase")

    def __init__(
        self,
        *,
        time_unit: TimeUnit | str,
        regularity: int | None = None,
        dropout_at_first_purchase: bool = False,
    ) -> None:
        super().__init__(time_unit=time_unit)
        if regularity is not None and regularity not in range(1, MAX_REGULARITY + 1):
            raise InvalidArgumentError(
                f"regularity: must be a whole number from 1 to {MAX_REGULARITY}, or None to "
                f"estimate it; got {regularity!r}"
            )
        self.regularity = regularity
        self.regularity_ = 1 if regularity is None else regularity
        self.dropout_at_first_purchase = dropout_at_first_purchase

    def fit(self, summary: Any, *, max_groups: int = MAX_GROUPS) -> Self:
        """Estimate the parameters, and k unless it was given; see `LifetimeModel.fit`."""
        total = 0.0 if self.regularity == 1 else _total_log_intervals(summary)
        groups = self._estimable_groups(self._read_groups(summary, max_groups))
        candidates = range(1, MAX_REGULARITY + 1) if self.regularity is None else [self.regularity]
        best: CondensedBetaGeoModel | None = None
        for k in candidates:
            trial = CondensedBetaGeoModel(
                time_unit=self.time_unit,
                regularity=k,
                dropout_at_first_purchase=self.dropout_at_first_purchase,
            )
            trial.estimate(groups, total)
            if best is not None and trial.log_likelihood_ <= best.log_likelihood_:
                break
            best = trial
        vars(self).update(vars(best) | {"regularity": self.regularity})
        return self

    def estimate(self, groups: Groups, total_log_intervals: float) -> None:
        """Fit the parameters for the given k to weighted distinct rows."""
        self._estimate(groups)
        self.log_likelihood_ += self._interval_term(groups, total_log_intervals)

    def log_likelihood(self, summary: Any, *, max_groups: int = MAX_GROUPS) -> float:
        """Total log-likelihood of a summary under the fitted parameters."""
        groups = self._select_groups(self._read_groups(summary, max_groups))
        total = 0.0 if self.regularity_ == 1 else _total_log_intervals(summary)
        values, _ = self._log_likelihood_and_gradient(self._theta(), groups)
        return float(groups.weight @ values) + self._interval_term(groups, total)

    def to_dict(self) -> dict[str, Any]:
        """See `LifetimeModel.to_dict`; with the regularity and the kind of dropout."""
        return super().to_dict() | {
            "regularity": self.regularity_,
            "dropout_at_first_purchase": self.dropout_at_first_purchase,
        }

    def _interval_term(self, groups: Groups, total_log_intervals: float) -> float:
        """The factor of the Erlang densities that holds no parameter but k."""
        k = self.regularity_
        purchases = float(groups.weight @ groups["frequency"])
        return (k - 1) * total_log_intervals - purchases * math.lgamma(k)

    def _chances(self, x: FloatArray) -> FloatArray:
        return x + float(self.dropout_at_first_purchase)

    def _starts(self, groups: Groups) -> list[tuple[float, ...]]:
        rate = self._purchase_rate(groups) * self.regularity_
        return [
            (1.0, 1.0 / rate, 1.0, 2.0),
            (0.3, 0.3 / rate, 0.7, 2.5),
            (3.0, 1.0 / rate, 0.5, 1.0),
        ]

    def _log_stages(
        self, theta: FloatArray, x: FloatArray, t_x: FloatArray, age: FloatArray
    ) -> FloatArray:
        """Log weight (stage x row) of j = 0 .. k-1 hidden events since t_x, all alive at T."""
        r, alpha, _, _ = theta
        shape, j = r + self.regularity_ * x, np.arange(float(self.regularity_))[:, None]
        return np.asarray(
            gammaln(shape + j) - gammaln(j + 1) + xlogy(j, age - t_x)
            - (shape + j) * np.log(alpha + age)
        )  # fmt: skip

    def _log_likelihood_and_gradient(
        self, theta: FloatArray, groups: Groups
    ) -> tuple[FloatArray, FloatArray]:
        """Platzer and Reutterer (2016), without the factor of `_interval_term`."""
        r, alpha, a, b = theta
        x, t_x, age = groups["frequency"], groups["recency"], groups["T"]
        chances = self._chances(x)
        shape, j = r + self.regularity_ * x, np.arange(float(self.regularity_))[:, None]
        gone = gammaln(shape) - shape * np.log(alpha + t_x) + log_dropout_odds(a, b, chances)
        terms = np.vstack([self._log_stages(theta, x, t_x, age), gone])
        total = logsumexp(terms, axis=0)
        values = r * np.log(alpha) - gammaln(r) + betaln(a, b + chances) - betaln(a, b) + total
        share = np.exp(terms - total)
        stages, dropped = share[:-1], share[-1]
        mean = (stages * (shape + j)).sum(axis=0) / (alpha + age)
        psi_both = digamma(a + b) - digamma(a + b + chances)
        last = np.maximum(b + chances - 1.0, np.finfo(float).tiny)
        gradient = np.array([
            np.log(alpha) - digamma(r) + dropped * (digamma(shape) - np.log(alpha + t_x))
            + (stages * (digamma(shape + j) - np.log(alpha + age))).sum(axis=0),
            r / alpha - mean - dropped * shape / (alpha + t_x),
            psi_both + dropped / a,
            psi_both + digamma(b + chances) - digamma(b)
            - np.where(chances > 0, dropped / last, 0.0),
        ])  # fmt: skip
        return values, gradient

    def _probability_alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        return np.asarray(self._alive_by_stage(x, t_x, age).sum(axis=0))

    def _alive_by_stage(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        """P(alive at T with j hidden events since the last purchase), stage x row."""
        r, alpha, a, b = theta = self._theta()
        shape = r + self.regularity_ * x
        odds = log_dropout_odds(a, b, self._chances(x))
        gone = gammaln(shape) - shape * np.log(alpha + t_x) + odds
        terms = np.vstack([self._log_stages(theta, x, t_x, age), gone])
        return np.asarray(np.exp(terms[:-1] - logsumexp(terms, axis=0)))

    def _expected_purchases(
        self, x: FloatArray, t_x: FloatArray, age: FloatArray, t: float
    ) -> FloatArray:
        def future(j: int, n: FloatArray, at: FloatArray) -> FloatArray:
            return expected_future(self.regularity_, j, *self._posterior(n, at, j), t)

        return self._over_stages(x, t_x, age, future)

    def _discounted_purchases(
        self, x: FloatArray, t_x: FloatArray, age: FloatArray, delta: float, horizon: float
    ) -> FloatArray:
        alpha = self.params_["alpha"]

        def future(j: int, n: FloatArray, at: FloatArray) -> FloatArray:
            def value(count: FloatArray, log_c: FloatArray) -> FloatArray:
                given = self._posterior(count, np.exp(log_c) - alpha, j)
                if math.isinf(horizon):
                    return discounted_future(self.regularity_, j, *given, delta)
                return discounted_future_within(
                    self.regularity_, j, *given, delta=delta, horizon=horizon
                )

            return interpolate_within_groups(value, n, np.log(alpha + at))

        return self._over_stages(x, t_x, age, future)

    def _posterior(
        self, x: FloatArray, age: FloatArray, j: int
    ) -> tuple[FloatArray, FloatArray, float, FloatArray]:
        """(shape, c, a, b): lambda ~ Gamma(shape, c), p ~ Beta(a, b), alive with j events."""
        r, alpha, a, b = self._theta()
        return r + self.regularity_ * x + j, alpha + age, float(a), b + self._chances(x)

    def _over_stages(
        self,
        x: FloatArray,
        t_x: FloatArray,
        age: FloatArray,
        future: Callable[[int, FloatArray, FloatArray], FloatArray],
    ) -> FloatArray:
        """Expectation over the hidden events j; within one, the future depends on (x, T)."""
        total = np.zeros(len(x))
        for j, probability in enumerate(self._alive_by_stage(x, t_x, age)):
            total += probability * by_pair(partial(future, j), x, age)
        return total

    def _counts_by_stage(self, x: FloatArray, age: FloatArray, t: float, most: int) -> FloatArray:
        k, chances = self.regularity_, []
        for j in range(k):
            shape, c, a, b = self._posterior(x, age, j)
            stays = regular_counts(shape, c, t, most, regularity=k, events=j)
            chances.append(geometric_dropout_counts(stays, a, b))
        return np.array(chances)

    def _most_if_alive(self, x: FloatArray, age: FloatArray, t: float) -> FloatArray:
        """The same in every stage: of those whose next hidden event is a purchase."""
        k = self.regularity_
        shape, c, _, _ = self._posterior(x, age, k - 1)
        return most_purchases(shape, c, t, regularity=k)

    def _purchases_new_customer(self, t: float) -> float:
        _, _, a, b = self._theta()
        newborn = np.zeros(1)
        stays = b / (a + b) if self.dropout_at_first_purchase else 1.0
        future = expected_future(self.regularity_, 0, *self._posterior(newborn, newborn, 0), t)
        return float(stays * future[0])

    def _count_pmf(self, n: FloatArray, t: float) -> FloatArray:
        """Alive with n k to n k + k - 1 hidden events, or dropped out at the n-th purchase."""
        r, alpha, a, b = self._theta()
        chances, k = self._chances(n), self.regularity_
        z = np.full(len(n), t / (alpha + t))
        shape = np.full(len(n), r)
        reached = probability_at_least(n * k, shape, z)
        alive = reached - probability_at_least((n + 1.0) * k, shape, z)
        survive = betaln(a, b + chances) - betaln(a, b)
        dropped = np.exp(survive + log_dropout_odds(a, b, chances)) * reached
        return np.asarray(np.exp(survive) * alive + dropped)


def _total_log_intervals(summary: Any) -> float:
    """Sum over customers of `log_intervals`, whatever the order of the rows."""
    if spark_frames.is_spark_frame(summary):
        total = spark_frames.collect_total(summary, LOG_INTERVALS)
    else:
        values = read_columns(summary, [LOG_INTERVALS])[LOG_INTERVALS]
        weight = read_weight(summary, len(values))
        total = math.fsum(np.where(weight > 0, weight * values, 0.0)) if len(values) else 0.0
    if not math.isfinite(total):
        raise InvalidSummaryError(
            f"summary.{LOG_INTERVALS}: is missing or not finite; allowed: the sum of the "
            "logarithms of the times between purchase days, 0 without repeat purchases"
        )
    return total
