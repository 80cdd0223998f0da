"""Mathematics shared by BG/NBD and MBG/NBD: Poisson purchases, geometric dropout after each.

The two differ only in whether a customer may also drop out right after the first purchase:
`chances` = x dropout chances survived in BG/NBD, x + 1 in MBG/NBD.

Sources: Fader, Hardie and Lee (2005), "Counting your customers the easy way"; Batislam, Denizel
and Filiztekin (2007) and Hoppe and Wagner (2007) for MBG/NBD; Hardie, note 027, for the form of
P(alive) that does not overflow.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import betainc, betaln, digamma, expit, gammaln

from clvspark.clv.models.covariate_model import CovariateModel
from clvspark.clv.models.future_counts import gamma_poisson_counts, geometric_dropout_counts
from clvspark.clv.models.hypergeometric import gauss_2f1
from clvspark.clv.models.interpolation import interpolate_within_groups
from clvspark.clv.models.negative_binomial import log_count_pmf
from clvspark.clv.models.quadrature import integrate_log_time
from clvspark.clv.models.summary import FloatArray, Groups, distinct_rows


class GeometricDropoutModel(CovariateModel):
    """lambda ~ Gamma(r, alpha), dropout probability p ~ Beta(a, b) at each chance."""

    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    purchase_effects: ClassVar[dict[str, float]] = {"alpha": -1.0}
    dropout_effects: ClassVar[dict[str, float]] = {"a": 1.0, "b": 1.0}
    initial_chances: ClassVar[int]

    def _starts(self, groups: Groups) -> list[tuple[float, ...]]:
        rate = self._purchase_rate(groups)
        return [
            (1.0, 1.0 / rate, 1.0, 2.0),
            (0.3, 0.3 / rate, 0.7, 2.5),
            (3.0, 1.0 / rate, 0.5, 1.0),
            (0.5, 0.2 / rate, 2.0, 20.0),
        ]

    def _log_likelihood_and_gradient(
        self, theta: FloatArray, groups: Groups
    ) -> tuple[FloatArray, FloatArray]:
        """Fader, Hardie and Lee (2005), eq. 6, as base + log(alive + dropped)."""
        r, alpha, a, b = theta
        x, t_x, age = groups["frequency"], groups["recency"], groups["T"]
        chances = x + self.initial_chances
        k = r + x
        log_alive = -k * np.log(alpha + age)
        log_dropped = log_dropout_odds(a, b, chances) - k * np.log(alpha + t_x)
        values = (
            gammaln(k) - gammaln(r) + r * np.log(alpha)
            + betaln(a, b + chances) - betaln(a, b)
            + np.logaddexp(log_alive, log_dropped)
        )  # fmt: skip
        dropped = expit(log_dropped - log_alive)
        alive = 1.0 - dropped
        last = np.maximum(b + chances - 1.0, np.finfo(float).tiny)
        psi_both = digamma(a + b) - digamma(a + b + chances)
        gradient = np.array([
            digamma(k) - digamma(r) + np.log(alpha)
            - alive * np.log(alpha + age) - dropped * np.log(alpha + t_x),
            r / alpha - k * (alive / (alpha + age) + dropped / (alpha + t_x)),
            psi_both + dropped / a,
            digamma(b + chances) - digamma(b) + psi_both
            - np.where(chances > 0, dropped / last, 0.0),
        ])  # fmt: skip
        return values, gradient

    def _probability_alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        r, alpha, a, b = self._theta()
        silence = np.log1p((age - t_x) / (alpha + t_x))
        log_odds = log_dropout_odds(a, b, x + self.initial_chances) + (r + x) * silence
        return np.asarray(expit(-log_odds))

    def _counts_if_alive(self, x: FloatArray, age: FloatArray, t: float, most: int) -> FloatArray:
        r, alpha, a, b = self._theta()
        survived = b + x + self.initial_chances
        stays = gamma_poisson_counts(r + x, alpha + age, t, most)
        return geometric_dropout_counts(stays, a, survived)

    def _purchases_if_alive(self, x: FloatArray, age: FloatArray, t: float) -> FloatArray:
        r, alpha, a, b = self._theta()
        return residual_purchases(r + x, alpha + age, a, b + x + self.initial_chances, t)

    def _discounted_if_alive(
        self, x: FloatArray, age: FloatArray, delta: float, horizon: float
    ) -> FloatArray:
        r, alpha, a, b = self._theta()
        shapes = [np.broadcast_to(shape, x.shape) for shape in (a, b) if np.ndim(shape)]
        first, group = distinct_rows(x, *shapes)
        k, survived = r + x[first], (b + x + self.initial_chances)[first]
        leaving = np.broadcast_to(a, x.shape)[first]

        def value(one: FloatArray, log_c: FloatArray) -> FloatArray:
            at = one.astype(np.intp)
            return discounted_residual_purchases(
                k[at], np.exp(log_c), leaving[at], survived[at], delta, horizon
            )

        # For equal x, a and b the value is smooth in log(alpha + T), which spares most quadratures.
        return interpolate_within_groups(value, group.astype(np.float64), np.log(alpha + age))

    def _purchases_new_customer(self, t: float) -> float:
        r, alpha, a, b = self._theta()
        k, c, survived = np.array([r]), np.array([alpha]), np.array([b + self.initial_chances])
        starts_alive = b / (a + b) if self.initial_chances else 1.0
        return float(starts_alive * residual_purchases(k, c, a, survived, t)[0])

    def _count_pmf(self, n: FloatArray, t: float) -> FloatArray:
        """Fader, Hardie and Lee (2005), eq. 8: still alive after n, or dropped at the n-th."""
        r, alpha, a, b = self._theta()
        chances = n + self.initial_chances
        log_survive = betaln(a, b + chances) - betaln(a, b)
        # A sum of n negative binomial terms is an incomplete beta function.
        at_least_n = np.where(n > 0, betainc(np.maximum(n, 1), r, t / (alpha + t)), 1.0)
        dropped = np.exp(log_survive + log_dropout_odds(a, b, chances)) * at_least_n
        return np.asarray(np.exp(log_survive + log_count_pmf(n, r, alpha, t)) + dropped)


def log_dropout_odds(
    a: FloatArray | float, b: FloatArray | float, chances: FloatArray
) -> FloatArray:
    """Log odds of having dropped out at the last chance against surviving it, before silence.

    log of B(a + 1, b + chances - 1) / B(a, b + chances) = a / (b + chances - 1); -inf where there
    has been no chance to drop out.
    """
    last = np.where(chances > 0, b + chances - 1.0, 1.0)
    return np.where(chances > 0, np.log(a) - np.log(last), -np.inf)


def residual_rate(
    k: FloatArray, c: FloatArray, a: FloatArray | float, b: FloatArray, u: FloatArray
) -> FloatArray:
    """Expected purchase rate a time u ahead, for lambda ~ Gamma(k, c), p ~ Beta(a, b), alive now.

    E[lambda exp(-lambda p u)] = k/c 2F1(k + 1, a; a + b; -u/c), with the Pfaff transformation to
    an argument in [0, 1).
    """
    w = u / c
    return np.asarray(k / c * (1.0 + w) ** -a * gauss_2f1(a + b - k - 1.0, a, a + b, w / (1.0 + w)))


def discounted_residual_purchases(
    k: FloatArray,
    c: FloatArray,
    a: FloatArray | float,
    b: FloatArray,
    delta: float,
    horizon: float,
) -> FloatArray:
    """Integrate the discounted `residual_rate` over the horizon (Gauss-Legendre in log time).

    Equals E[lambda / (lambda p + delta)] for an infinite horizon. No published closed form.
    """
    leaving = np.broadcast_to(a, k.shape)

    def rate(u: FloatArray, rows: slice) -> FloatArray:
        column = (rows, None)
        return residual_rate(k[column], c[column], leaving[column], b[column], u)

    limit = np.full(len(k), horizon)
    return integrate_log_time(rate, c / np.maximum(k, 1.0), limit, discount=delta)


def residual_purchases(
    k: FloatArray, c: FloatArray, a: FloatArray | float, b: FloatArray, t: float
) -> FloatArray:
    """E[(1 - exp(-lambda p t)) / p] for lambda ~ Gamma(k, c), p ~ Beta(a, b).

    Fader, Hardie and Lee (2005), eq. 10 without P(alive), after the Euler transformation, in
    which x is left only in the denominator parameter. At a = 1 (0/0) and near a + b = 1 (a pole
    that cancels) the integral of the rate takes its place.
    """
    z = t / (c + t)
    a = np.broadcast_to(a, k.shape)
    order = a - 1.0
    third = a + b - 1.0
    # Where the difference below cancels, or its terms have a pole, integrate instead.
    smooth = (np.abs(order) * z > 1e-4) & (third > 0.5)
    result = np.empty(len(k))
    if np.any(smooth):
        kk, zz, d, o = k[smooth], z[smooth], third[smooth], order[smooth]
        unspent = (1.0 - zz) ** o * gauss_2f1(d - kk, o, d, zz)
        result[smooth] = d / o * (1.0 - unspent)
    rest = ~smooth
    if np.any(rest):
        result[rest] = discounted_residual_purchases(k[rest], c[rest], a[rest], b[rest], 0.0, t)
    return result
