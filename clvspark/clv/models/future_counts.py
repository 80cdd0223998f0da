"""How many purchases a living customer will make: probabilities of 0, 1, 2, ... within a time.

Given the history and that the customer is alive, the purchase rate is Gamma(k, c) whatever
happened to the dropout, so the distributions of a new customer hold with other parameters. Every
function gives a matrix (customer x 0..most).
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaln, gammaln

from clvspark.clv.models.quadrature import unit_rule
from clvspark.clv.models.summary import FloatArray

TIME_NODES = 48

CHUNK_CELLS = 1 << 20
"""Cells of customer x node x count worked on at once (8 MB each)."""


def gamma_poisson_counts(k: FloatArray, c: FloatArray, t: float, most: int) -> FloatArray:
    """Of a customer who stays: negative binomial. Ehrenberg (1959)."""
    n = np.arange(most + 1.0)
    constant = gammaln(k[:, None] + n) - gammaln(k)[:, None] - gammaln(n + 1)
    stays = -k * np.log1p(t / c)
    return np.asarray(np.exp(constant + stays[:, None] + _growth(n, t / (c + t))))


def regular_counts(
    k: FloatArray, c: FloatArray, t: float, most: int, *, regularity: int, events: int
) -> FloatArray:
    """Of a customer who stays and buys at each `regularity`-th hidden Poisson event.

    `events` have happened since the last purchase, so n purchases are n regularity - events hidden
    events from now on, or fewer than a whole interval more.
    """
    hidden = gamma_poisson_counts(k, c, t, (most + 1) * regularity - events - 1)
    since_purchase = np.pad(hidden, ((0, 0), (events, 0)))
    return since_purchase.reshape(len(k), most + 1, regularity).sum(axis=2)


def geometric_dropout_counts(stays: FloatArray, a: float | FloatArray, b: FloatArray) -> FloatArray:
    """Of a customer who may leave after each purchase, with probability p ~ Beta(a, b).

    `stays` are the chances of one who does not. Fader, Hardie and Lee (2005), eq. 8: alive after n
    purchases, or dropped out at the n-th.
    """
    n = np.arange(float(stays.shape[1]))
    leaving, lasting = np.broadcast_to(a, b.shape)[:, None], b[:, None]
    # P(at least n) of one who stays; rounding may leave it a little below 0.
    at_least = np.maximum(1.0 - np.cumsum(stays, axis=1) + stays, 0.0)
    survive = np.exp(betaln(leaving, lasting + n) - betaln(leaving, lasting))
    dropped = np.zeros_like(stays)
    dropped[:, 1:] = survive[:, :-1] * leaving / (leaving + lasting + n[:-1]) * at_least[:, 1:]
    return np.asarray(survive * stays + dropped)


def exponential_lifetime_counts(
    k: FloatArray, c: FloatArray, s: float, beta: FloatArray, t: float, most: int
) -> FloatArray:
    """Of a customer whose remaining lifetime is exponential with death rate mu ~ Gamma(s, beta).

    Fader and Hardie (2005), eq. 16 before integration: n purchases in a life that outlasts t, or
    in one that ends at u < t, integrated over u by Gauss-Legendre in log time.
    """
    nodes, weights = unit_rule(TIME_NODES)
    result = gamma_poisson_counts(k, c, t, most) * np.exp(-s * np.log1p(t / beta))[:, None]
    n = np.arange(most + 1.0)
    rows_at_once = max(1, CHUNK_CELLS // (TIME_NODES * (most + 1)))
    for first in range(0, len(k), rows_at_once):
        rows = slice(first, first + rows_at_once)
        shape, scale, life = k[rows, None], c[rows, None], beta[rows, None]
        unit = np.minimum(scale, life)
        length = np.log1p(t / unit)
        v = length * nodes
        u = unit * np.expm1(v)
        log_death = np.log(s / life) - (s + 1.0) * np.log1p(u / life)
        mass = log_death + v + np.log(weights * length * unit) - shape * np.log1p(u / scale)
        constant = gammaln(shape + n) - gammaln(shape) - gammaln(n + 1)
        terms = np.exp(mass[:, :, None] + constant[:, None, :] + _growth(n, u / (scale + u)))
        result[rows] += terms.sum(axis=1)
    return result


def beta_binomial_counts(
    bought: FloatArray,
    missed: FloatArray,
    gamma: float,
    delta: FloatArray,
    opportunities: int,
    most: int,
) -> FloatArray:
    """At opportunities used with probability ~ Beta(bought, missed), left with ~ Beta(gamma, delta).

    Fader, Hardie and Shang (2010), eq. 7: n of the m opportunities before death, or of all.
    """
    n = np.arange(most + 1.0)
    result = np.zeros((len(bought), most + 1))
    for m in range(opportunities + 1):
        died = float(m < opportunities)
        lasts = np.exp(betaln(gamma + died, delta + m) - betaln(gamma, delta))
        left = np.maximum(m - n, 0.0)
        choices = gammaln(m + 1) - gammaln(n + 1) - gammaln(left + 1)
        used = betaln(bought[:, None] + n, missed[:, None] + left)
        chance = np.exp(choices + used - betaln(bought, missed)[:, None])
        result += np.where(n <= m, chance, 0.0) * lasts[:, None]
    return result


def most_purchases(k: FloatArray, c: FloatArray, t: float, *, regularity: int = 1) -> FloatArray:
    """A number of purchases that a customer who stays hardly exceeds (probability below 1e-6).

    Hidden events come at the rate Gamma(k, c), and each `regularity`-th is a purchase. A power of two,
    so that customers fall into few classes, and of each customer alone, so that equal histories
    have equal distributions in whatever company they are.
    """
    mean = k * t / c
    spread = np.sqrt(mean * (1.0 + t / c))
    # The tail of the negative binomial is exponential with rate log(1 + c/t), or normal.
    tail = np.maximum(6.0 * spread, 16.0 * (1.0 + t / c))
    most = (mean + tail + regularity - 1.0) / regularity
    return np.asarray(np.exp2(np.ceil(np.log2(np.maximum(most, 15.0)))))


def _growth(n: FloatArray, odds: FloatArray) -> FloatArray:
    """The term n log(odds) along a new last axis; 0 for n = 0 even where the odds are 0."""
    with np.errstate(divide="ignore"):
        log_odds = np.maximum(np.log(odds), -1e6)
    return np.asarray(n * log_odds[..., None])
