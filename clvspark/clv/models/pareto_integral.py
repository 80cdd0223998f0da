"""The integral over the unobserved time of death, which is all that is hard about Pareto/NBD.

The textbook form is a difference of two Gaussian hypergeometric functions, with one branch for
alpha >= beta and one for alpha < beta (Fader and Hardie 2005, eqs. 18-20). It overflows for
frequent buyers and loses its digits where t_x is close to T. The integral itself has neither
flaw, needs no branch, holds at alpha = beta, and carries the gradient along at little cost; in
log time 32 nodes give it to about 1e-13. The tests compare it with the hypergeometric form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from clvspark.clv.models.quadrature import CHUNK_ROWS, NEGLIGIBLE, unit_rule
from clvspark.clv.models.summary import FloatArray

N_NODES = 32


class DeathMoments(NamedTuple):
    """Expectations over the time of death u of a customer who died in [t_x, T]."""

    log_alpha_u: FloatArray
    per_alpha_u: FloatArray
    log_beta_u: FloatArray
    per_beta_u: FloatArray


def death_integral(
    theta: FloatArray, x: FloatArray, t_x: FloatArray, age: FloatArray, *, with_moments: bool = True
) -> tuple[FloatArray, DeathMoments]:
    """Log of the integral of (alpha+u)^-(r+x) (beta+u)^-(s+1) over [t_x, T], and its moments.

    The moments E[log(alpha+u)], E[1/(alpha+u)] and the same for beta are the ingredients of the
    gradient; without `with_moments` they stay zero. The log is -inf where t_x = T.
    """
    log_integral = np.empty(len(x))
    moments = np.zeros((4, len(x)))
    for first in range(0, len(x), CHUNK_ROWS):
        rows = slice(first, first + CHUNK_ROWS)
        log_integral[rows] = _integrate(
            [value[rows] if np.ndim(value) else value for value in theta],
            x[rows],
            t_x[rows],
            age[rows],
            moments[:, rows] if with_moments else None,
        )
    return log_integral, DeathMoments(*moments)


def _integrate(
    theta: Sequence[FloatArray],
    x: FloatArray,
    t_x: FloatArray,
    age: FloatArray,
    moments: FloatArray | None,
) -> FloatArray:
    r, alpha, s, beta = theta
    k = (r + x)[:, None]
    nearest = np.minimum(alpha, beta)
    start = nearest + t_x
    nodes, weights = unit_rule(N_NODES)
    # u = start e^v - nearest turns the nearer pole into an exponential.
    length = np.log1p((age - t_x) / start)
    decay = (r + x) * start / (alpha + t_x) + (s + 1.0) * start / (beta + t_x) - 1.0
    # The decay rate never falls with v, so the tail beyond this is below double precision.
    length = np.minimum(length, NEGLIGIBLE / np.maximum(decay, 1e-3))
    v = length[:, None] * nodes
    elapsed = start[:, None] * np.expm1(v)
    alpha_u = (alpha + t_x)[:, None] + elapsed
    beta_u = (beta + t_x)[:, None] + elapsed
    log_alpha_u, log_beta_u = np.log(alpha_u), np.log(beta_u)
    exponent = v - k * log_alpha_u - (s + 1.0) * log_beta_u
    peak = exponent.max(axis=1)
    mass = np.exp(exponent - peak[:, None]) * weights
    total = mass.sum(axis=1)
    if moments is not None:
        mass /= total[:, None]
        for row, values in enumerate((log_alpha_u, 1.0 / alpha_u, log_beta_u, 1.0 / beta_u)):
            moments[row] = np.einsum("ij,ij->i", mass, values)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(total * start * length) + peak)
