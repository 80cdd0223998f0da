"""Future purchases of a living customer with an Erlang-k rhythm: exact series, no approximation.

A purchase happens at every k-th hidden Poisson event. With j events since the last purchase, the
n-th future purchase is hidden event number n k - j, and is made if the customer has survived the
n - 1 dropout chances before it. With lambda ~ Gamma(shape, c) and p ~ Beta(a, b), both given
that the customer is alive, these two are independent:

    P(event m within t) = I(t / (c + t); m, shape), the regularised incomplete beta function;
    P(n - 1 chances survived) = B(a, b + n - 1) / B(a, b).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import betainc, gammainccinv, gammaincinv, loggamma

from clvspark.clv.models.hypergeometric import gauss_2f1
from clvspark.clv.models.quadrature import NEGLIGIBLE, unit_rule
from clvspark.clv.models.summary import FloatArray

TOLERANCE = 1e-12
"""Relative size of the tail at which the series over future purchases ends."""

RATE_NODES = 96

TIME_NODES = 32


def probability_at_least(events: FloatArray, shape: FloatArray, z: FloatArray) -> FloatArray:
    """P(at least `events` hidden events within t), z = t / (c + t); 1 for no event."""
    return np.where(events > 0, betainc(np.maximum(events, 1.0), shape, z), 1.0)


def expected_future(
    k: int, j: int, shape: FloatArray, c: FloatArray, a: float, b: FloatArray, t: float
) -> FloatArray:
    """Expected purchases within t: the sum over n of survival times P(event n k - j within t)."""
    z = t / (c + t)
    total = np.zeros_like(z)
    open_rows = np.flatnonzero(z > 0)
    survived = np.ones_like(z)
    n = 1
    while len(open_rows):
        events = np.full(len(open_rows), float(n * k - j))
        rows_z, rows_b = z[open_rows], b[open_rows]
        term = survived[open_rows] * probability_at_least(events, shape[open_rows], rows_z)
        total[open_rows] += term
        survived[open_rows] *= (rows_b + n - 1.0) / (a + rows_b + n - 1.0)
        # Once events exceed their mean, terms shrink at least as fast as about z^k.
        tail = term / -np.expm1(k * np.log(rows_z))
        past_mean = events > shape[open_rows] * t / c[open_rows]
        open_rows = open_rows[~(past_mean & (tail <= TOLERANCE * total[open_rows]))]
        n += 1
    return total


def discounted_future(
    k: int, j: int, shape: FloatArray, c: FloatArray, a: float, b: FloatArray, delta: float
) -> FloatArray:
    """Discounted expected purchases of the whole future.

    Event m is worth E[phi^m], phi = lambda / (lambda + delta). Summed over purchases this is
    E[phi^(k-j) 2F1(1, b; a + b; phi^k)], integrated over log(lambda) by Gauss-Legendre.
    """
    nodes, weights = unit_rule(RATE_NODES)
    high = np.log(gammainccinv(shape, 1e-17) / c)
    with np.errstate(divide="ignore"):
        quantile = np.log(gammaincinv(shape, 1e-17) / c)
    # For small shapes lambda reaches far down, but phi^(k-j) takes over below delta.
    negligible = np.log(np.minimum(delta, shape / c)) - 40.0 / (shape + k - j)
    low = np.maximum(quantile, negligible)
    log_rate = low[:, None] + (high - low)[:, None] * nodes
    scaled = np.exp(log_rate) * c[:, None]
    log_density = shape[:, None] * np.log(scaled) - scaled - loggamma(shape)[:, None]
    log_phi = -np.log1p(delta * np.exp(-log_rate))
    series = gauss_2f1(1.0, b[:, None], a + b[:, None], np.exp(k * log_phi))
    values = np.exp(log_density + (k - j) * log_phi) * series
    return np.asarray((values @ weights) * (high - low))


def discounted_future_within(
    k: int,
    j: int,
    shape: FloatArray,
    c: FloatArray,
    a: float,
    b: FloatArray,
    *,
    delta: float,
    horizon: float,
) -> FloatArray:
    """Discounted expected purchases within a finite horizon, by parts from `expected_future`.

    exp(-delta h) E[Y(h)] + delta * integral of exp(-delta t) E[Y(t)] over t in [0, h].
    """
    if delta > 0:
        horizon = min(horizon, NEGLIGIBLE / delta)
    total = math.exp(-delta * horizon) * expected_future(k, j, shape, c, a, b, horizon)
    if delta > 0 and horizon > 0:
        unit = min(horizon, 1.0 / delta) / 10.0
        length = math.log1p(horizon / unit)
        for node, weight in zip(*unit_rule(TIME_NODES), strict=True):
            v = float(node) * length
            t = unit * math.expm1(v)
            share = delta * math.exp(v - delta * t) * unit * length * float(weight)
            total += share * expected_future(k, j, shape, c, a, b, t)
    return total
