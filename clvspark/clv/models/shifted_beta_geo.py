"""The sBG model of contract renewals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, digamma

from clvspark.clv.models.base import LifetimeModel
from clvspark.clv.models.beta_geometric import discounted_survival, log_survival
from clvspark.clv.models.errors import DegenerateDataError, InvalidArgumentError
from clvspark.clv.models.summary import FloatArray, Groups, require
from clvspark.clv.models.units import choose_discount_rate

CONTRACT = ("recency", "T")


class ShiftedBetaGeoModel(LifetimeModel):
    """sBG: a subscriber cancels at each renewal with probability theta ~ Beta(alpha, beta).

    In a summary T counts the renewals that were due to a customer, recency those made:
    recency = T is still a customer, recency < T cancelled at renewal recency + 1. Both are whole
    numbers; `time_unit` is the contract period.

    Sources: Fader and Hardie (2007), "How to project customer retention"; Fader and Hardie
    (2010), "Customer-base valuation in a contractual setting: the perils of ignoring
    heterogeneity".
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    fit_columns: ClassVar[tuple[str, ...]] = CONTRACT

    def expected_survival(self, *, t: ArrayLike) -> FloatArray:
        """S(t): share of new customers who make the first t renewals."""
        alpha, beta = self._theta()
        return np.exp(log_survival(alpha, np.asarray(beta), _renewals(t, least=0)))

    def expected_retention_rate(self, *, t: ArrayLike) -> FloatArray:
        """r(t) = S(t) / S(t - 1): share of the remaining who make renewal t."""
        alpha, beta = self._theta()
        earlier = _renewals(t, least=1) - 1.0
        return np.asarray((beta + earlier) / (alpha + beta + earlier))

    def expected_probability_alive(self, summary: Any, *, future_t: int = 0) -> Any:
        """Probability of making the next future_t renewals (column `p_alive`); 0 if cancelled."""
        ahead = float(_renewals(future_t, least=0))

        def score(recency: FloatArray, due: FloatArray) -> FloatArray:
            alpha, beta = self._theta()
            later = np.exp(log_survival(alpha, beta + due, ahead))
            return np.where(recency == due, later, 0.0)

        return self._predict(summary, "p_alive", CONTRACT, score)

    def expected_residual_lifetime(
        self,
        summary: Any,
        *,
        annual_discount_rate: float | None = None,
        discount_rate_per_unit: float | None = None,
    ) -> Any:
        """Discounted expected renewals still to come (`expected_residual_lifetime`); DERL.

        The next renewal lies one period ahead and is discounted by it; just before a renewal, as
        in Fader and Hardie (2010), multiply by one plus the rate of a period. Exactly one rate is
        given: effective a year, or compounded continuously in each period.
        """
        rate = choose_discount_rate(annual_discount_rate, discount_rate_per_unit, self.time_unit)
        if rate == 0:
            raise InvalidArgumentError(
                "discount rate: must be > 0, as the undiscounted sum may be infinite"
            )

        def score(recency: FloatArray, due: FloatArray) -> FloatArray:
            alpha, beta = self._theta()
            future = discounted_survival(
                alpha, beta + due, discount_factor=math.exp(-rate), periods=math.inf
            )
            return np.where(recency == due, future, 0.0)

        return self._predict(summary, "expected_residual_lifetime", CONTRACT, score)

    def _check_columns(self, columns: Mapping[str, FloatArray]) -> None:
        for name in CONTRACT:
            values = columns[name]
            require(
                np.isfinite(values) & (values >= 0) & (values == np.floor(values)),
                name,
                "is negative, missing or not whole",
                "a whole number of renewals >= 0",
            )
        require(columns["recency"] <= columns["T"], "recency", "exceeds T", "renewals made <= due")

    def _refuse_degenerate(self, groups: Groups) -> None:
        cancelled = groups["recency"] < groups["T"]
        if not np.any(cancelled) or not np.any(groups["recency"] > 0):
            raise DegenerateDataError(
                "summary.recency: nobody cancelled, or nobody ever renewed; both must occur to "
                "estimate retention; observe more renewals"
            )

    def _starts(self, groups: Groups) -> list[tuple[float, ...]]:
        renewed = groups.mean("recency") / groups.mean("T")
        odds = renewed / (1.0 - renewed)
        return [(1.0, odds), (0.3, 0.3 * odds), (5.0, 5.0 * odds)]

    def _log_likelihood_and_gradient(
        self, theta: FloatArray, groups: Groups
    ) -> tuple[FloatArray, FloatArray]:
        """Fader and Hardie (2007): cancelled after recency, or survived T."""
        alpha, beta = theta
        made = groups["recency"]
        cancelled = (made < groups["T"]).astype(np.float64)
        values = betaln(alpha + cancelled, beta + made) - betaln(alpha, beta)
        after = digamma(alpha + cancelled + beta + made) - digamma(alpha + beta)
        gradient = np.array([
            digamma(alpha + cancelled) - digamma(alpha) - after,
            digamma(beta + made) - digamma(beta) - after,
        ])  # fmt: skip
        return values, gradient


def _renewals(t: ArrayLike, *, least: int) -> FloatArray:
    count = np.asarray(t, dtype=np.float64)
    if not np.all(np.isfinite(count) & (count >= least) & (count == np.floor(count))):
        raise InvalidArgumentError(f"t: must be whole numbers of renewals >= {least}")
    return count
