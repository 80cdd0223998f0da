"""The BG/BB model of purchases at regular opportunities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy.special import betaln, digamma, gammaln, logsumexp

from clvspark.clv.models.beta_geometric import discounted_survival, log_survival
from clvspark.clv.models.errors import InvalidArgumentError
from clvspark.clv.models.future_counts import beta_binomial_counts
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.quadrature import CHUNK_ROWS
from clvspark.clv.models.summary import FloatArray, Groups, check_transaction_columns, require
from clvspark.clv.models.transactions import TRIPLE


class BetaGeoBetaBinomModel(MemorylessModel):
    """BG/BB: at each opportunity the living buy with probability p, or have died with theta.

    Parameters alpha, beta: p ~ Beta(alpha, beta); gamma, delta: theta ~ Beta(gamma, delta). In a
    summary T counts the opportunities since the first purchase, frequency those used, recency the
    last one used (0 for none): all whole. `time_unit` is the distance between opportunities, and
    durations are whole numbers of them.

    Source: Fader, Hardie and Shang (2010), "Customer-base analysis in a discrete-time
    noncontractual setting", Marketing Science 29(6).
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("alpha", "beta", "gamma", "delta")

    def expected_probability_alive(self, summary: Any, *, future_t: int = 0) -> Any:
        """Probability of being alive at opportunity T + future_t (the paper, A10: T + 1)."""
        ahead = _whole("future_t", future_t)

        def score(x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
            _, _, gamma, delta = self._theta()
            later = np.exp(log_survival(gamma, delta + age, ahead))
            return np.asarray(self._probability_alive(x, t_x, age) * later)

        return self._predict(summary, "p_alive", TRIPLE, score)

    def _check_columns(self, columns: Mapping[str, FloatArray]) -> None:
        check_transaction_columns(columns)
        for name in ("recency", "T"):
            values = columns[name]
            require(values == np.floor(values), name, "is not whole", "a number of an opportunity")
        require(
            columns["frequency"] <= columns["recency"],
            "frequency",
            "exceeds recency",
            "at most one purchase at each opportunity up to the last one used",
        )

    def _starts(self, groups: Groups) -> list[tuple[float, ...]]:
        used = min(groups.mean("frequency") / groups.mean("T"), 0.9)
        return [
            (2.0 * used, 2.0 * (1.0 - used), 1.0, 5.0),
            (0.5, 0.5, 0.5, 3.0),
            (2.0, 1.0, 0.3, 1.0),
            (1.0, 5.0, 2.0, 20.0),
        ]

    def _log_likelihood_and_gradient(
        self, theta: FloatArray, groups: Groups
    ) -> tuple[FloatArray, FloatArray]:
        """Fader, Hardie and Shang (2010): a sum over the last opportunity m alive at."""
        alpha, beta, gamma, delta = theta
        x, age = groups["frequency"][:, None], groups["T"][:, None]
        terms, m = self._log_terms(theta, groups["frequency"], groups["recency"], groups["T"])
        values = logsumexp(terms, axis=1)
        share = np.exp(terms - values[:, None])
        died = np.where(m < age, 1.0, 0.0)
        psi_bought = digamma(alpha + beta + m)
        psi_lived = digamma(gamma + died + delta + m)
        # Beyond T and before t_x the share is 0; there arguments are only kept positive.
        missed = np.maximum(m - x, 0.0)
        slopes = (
            digamma(alpha + x) - psi_bought,
            digamma(beta + missed) - psi_bought,
            digamma(gamma + died) - psi_lived,
            digamma(delta + m) - psi_lived,
        )
        base = np.array([
            digamma(alpha) - digamma(alpha + beta), digamma(beta) - digamma(alpha + beta),
            digamma(gamma) - digamma(gamma + delta), digamma(delta) - digamma(gamma + delta),
        ])  # fmt: skip
        gradient = np.array([(share * slope).sum(axis=1) for slope in slopes]) - base[:, None]
        return values, gradient

    @staticmethod
    def _log_terms(
        theta: FloatArray, x: FloatArray, t_x: FloatArray, age: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Log-probability (row x m) of the history and of m being the last opportunity alive."""
        alpha, beta, gamma, delta = theta
        m = np.arange(age.max() + 1.0)[None, :]
        x, t_x, age = x[:, None], t_x[:, None], age[:, None]
        bought = betaln(alpha + x, beta + np.maximum(m - x, 0.0)) - betaln(alpha, beta)
        died = np.where(m < age, 1.0, 0.0)
        lived = betaln(gamma + died, delta + m) - betaln(gamma, delta)
        possible = (m >= t_x) & (m <= age)
        return np.where(possible, bought + lived, -np.inf), m

    def _probability_alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        result = np.empty(len(x))
        for first in range(0, len(x), CHUNK_ROWS):
            rows = slice(first, first + CHUNK_ROWS)
            terms, _ = self._log_terms(self._theta(), x[rows], t_x[rows], age[rows])
            alive = np.take_along_axis(terms, age[rows].astype(np.intp)[:, None], axis=1)[:, 0]
            result[rows] = np.exp(alive - logsumexp(terms, axis=1))
        return result

    def _counts_if_alive(self, x: FloatArray, age: FloatArray, t: float, most: int) -> FloatArray:
        alpha, beta, gamma, lived = self._theta()
        opportunities = int(_whole("future_t", t))
        missed = beta + age - x
        return beta_binomial_counts(alpha + x, missed, gamma, lived + age, opportunities, most)

    def _most_if_alive(self, x: FloatArray, age: FloatArray, t: float) -> FloatArray:
        """No more than there are opportunities; a table has at least two columns."""
        del age
        return np.full(len(x), max(_whole("future_t", t), 1.0))

    def _purchases_if_alive(self, x: FloatArray, age: FloatArray, t: float) -> FloatArray:
        """Eq. 13 without P(alive): a sum over opportunities, so that gamma = 1 needs no care."""
        return self._discounted_if_alive(x, age, 0.0, _whole("future_t", t))

    def _discounted_if_alive(
        self, x: FloatArray, age: FloatArray, delta: float, horizon: float
    ) -> FloatArray:
        """DERT without P(alive); the next opportunity is one period away."""
        alpha, beta, gamma, lived = self._theta()
        periods = horizon if math.isinf(horizon) else _whole("horizon", horizon)
        survival = discounted_survival(
            gamma, lived + age, discount_factor=math.exp(-delta), periods=periods
        )
        return np.asarray((alpha + x) / (alpha + beta + age) * survival)

    def _purchases_new_customer(self, t: float) -> float:
        newborn = np.zeros(1)
        return float(self._purchases_if_alive(newborn, newborn, _whole("t", t))[0])

    def _count_pmf(self, n: FloatArray, t: float) -> FloatArray:
        """Eq. 7: n of the m opportunities used before death after the m-th, or of all t."""
        whole = np.full(len(n), _whole("t", t))
        terms, m = self._log_terms(self._theta(), n, np.minimum(n, whole), whole)
        left = np.maximum(m - n[:, None], 0.0)
        choices = gammaln(m + 1) - gammaln(n[:, None] + 1) - gammaln(left + 1)
        return np.where(n <= t, np.exp(logsumexp(terms + choices, axis=1)), 0.0)


def _whole(name: str, value: float) -> float:
    if not (math.isfinite(value) and value >= 0 and value == math.floor(value)):
        raise InvalidArgumentError(
            f"{name}: must be a whole number of opportunities >= 0; got {value!r}"
        )
    return float(value)
