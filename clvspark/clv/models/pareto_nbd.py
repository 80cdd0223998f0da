"""The Pareto/NBD model."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import digamma, expit, exprel, gammaln

from clvspark.clv.models.covariate_model import CovariateModel
from clvspark.clv.models.future_counts import exponential_lifetime_counts
from clvspark.clv.models.pareto_integral import death_integral
from clvspark.clv.models.quadrature import integrate_log_time
from clvspark.clv.models.summary import FloatArray, Groups


class ParetoNBDModel(CovariateModel):
    """Pareto/NBD: Poisson purchases until an exponential lifetime ends, unobserved.

    Parameters r, alpha: purchase rates lambda ~ Gamma(r, alpha); s, beta: death rates
    mu ~ Gamma(s, beta).

    Sources: Schmittlein, Morrison and Colombo (1987), "Counting your customers: who are they and
    what will they do next?"; Fader and Hardie (2005), "A note on deriving the Pareto/NBD model";
    Fader, Hardie and Lee (2005), "RFM and CLV", for discounted transactions.
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "s", "beta")
    purchase_effects: ClassVar[dict[str, float]] = {"alpha": -1.0}
    dropout_effects: ClassVar[dict[str, float]] = {"beta": -1.0}

    def _starts(self, groups: Groups) -> list[tuple[float, ...]]:
        rate, span = self._purchase_rate(groups), groups.mean("T")
        return [
            (1.0, 0.5 / rate, 0.5, span / 3.0),
            (0.5, 0.3 / rate, 1.0, span),
            (2.0, 1.0 / rate, 0.3, span / 10.0),
            (0.5, 0.2 / rate, 2.0, 4.0 * span),
        ]

    def _log_likelihood_and_gradient(
        self, theta: FloatArray, groups: Groups
    ) -> tuple[FloatArray, FloatArray]:
        """Fader and Hardie (2005), eq. 18 before integration over the time of death.

        L = Gamma(r+x) alpha^r beta^s / Gamma(r) [alive + dead], alive = (alpha+T)^-(r+x)
        (beta+T)^-s, dead = s * integral of (alpha+u)^-(r+x) (beta+u)^-(s+1) over u in [t_x, T].
        """
        r, alpha, s, beta = theta
        x, t_x, age = groups["frequency"], groups["recency"], groups["T"]
        k = r + x
        log_integral, moments = death_integral(theta, x, t_x, age)
        log_alive = -k * np.log(alpha + age) - s * np.log(beta + age)
        log_dead = np.log(s) + log_integral
        values = (
            gammaln(k) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
            + np.logaddexp(log_alive, log_dead)
        )  # fmt: skip
        dead = expit(log_dead - log_alive)
        alive = 1.0 - dead
        gradient = np.array([
            digamma(k) - digamma(r) + np.log(alpha)
            - alive * np.log(alpha + age) - dead * moments.log_alpha_u,
            r / alpha - k * (alive / (alpha + age) + dead * moments.per_alpha_u),
            np.log(beta) - alive * np.log(beta + age) + dead * (1.0 / s - moments.log_beta_u),
            s / beta - alive * s / (beta + age) - dead * (s + 1.0) * moments.per_beta_u,
        ])  # fmt: skip
        return values, gradient

    def _probability_alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        r, alpha, s, beta = theta = self._theta()
        log_integral, _ = death_integral(theta, x, t_x, age, with_moments=False)
        log_alive = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
        return np.asarray(expit(log_alive - np.log(s) - log_integral))

    def _counts_if_alive(self, x: FloatArray, age: FloatArray, t: float, most: int) -> FloatArray:
        r, alpha, s, beta = self._theta()
        return exponential_lifetime_counts(r + x, alpha + age, s, beta + age, t, most)

    def _purchases_if_alive(self, x: FloatArray, age: FloatArray, t: float) -> FloatArray:
        """Fader and Hardie (2005), eq. 41 without P(alive).

        [1 - ((beta+T)/(beta+T+t))^(s-1)] / (s-1) written as L exprel(-(s-1) L) has no hole at
        s = 1.
        """
        r, alpha, s, beta = self._theta()
        growth = np.log1p(t / (beta + age))
        lifetime = (beta + age) * growth * exprel(-(s - 1.0) * growth)
        return np.asarray((r + x) / (alpha + age) * lifetime)

    def _discounted_if_alive(
        self, x: FloatArray, age: FloatArray, delta: float, horizon: float
    ) -> FloatArray:
        """Discounted purchase rate of the living times the discounted time they have left.

        For an infinite horizon this is the closed form of Fader, Hardie and Lee (2005),
        (beta+T) U(1, 2-s, delta (beta+T)) = integral of exp(-delta u) ((beta+T)/(beta+T+u))^s.
        The integral is evaluated, because it holds for finite horizons and where library
        versions of Tricomi's U lose digits.
        """
        r, alpha, s, beta = self._theta()
        scale, where = np.unique(beta + age, return_inverse=True)

        def survival(u: FloatArray, rows: slice) -> FloatArray:
            return np.asarray(np.exp(-s * np.log1p(u / scale[rows, None])))

        unit = scale / max(s, 1.0)
        left = integrate_log_time(survival, unit, np.full(len(scale), horizon), discount=delta)
        return np.asarray((r + x) / (alpha + age) * left[where])

    def _purchases_new_customer(self, t: float) -> float:
        newborn = np.zeros(1)
        return float(self._purchases_if_alive(newborn, newborn, t)[0])

    def _count_pmf(self, n: FloatArray, t: float) -> FloatArray:
        """Eq. 16 before integration: n purchases in a life that outlasts t, or ended at u < t."""
        r, alpha, s, beta = self._theta()

        def log_count(u: FloatArray, counts: FloatArray) -> FloatArray:
            log_odds = np.log(u / (alpha + u), where=u > 0, out=np.full(u.shape, -np.inf))
            growth = np.multiply(counts, log_odds, where=counts > 0, out=np.zeros_like(log_odds))
            constant = gammaln(r + counts) - gammaln(r) - gammaln(counts + 1)
            return np.asarray(constant - r * np.log1p(u / alpha) + growth)

        def ended(u: FloatArray, rows: slice) -> FloatArray:
            log_death = np.log(s / beta) - (s + 1.0) * np.log1p(u / beta)
            counts = np.broadcast_to(n[rows, None], u.shape)
            return np.asarray(np.exp(log_count(u, counts) + log_death))

        horizon = np.full(len(n), t)
        died = integrate_log_time(ended, np.full(len(n), min(alpha, beta)), horizon, n_nodes=96)
        return np.asarray(np.exp(log_count(horizon, n) - s * np.log1p(t / beta)) + died)
