"""Gauss-Legendre quadrature in logarithmic time, for integrands that decay over many scales."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.polynomial.legendre import leggauss

from clvspark.clv.models.summary import FloatArray

NEGLIGIBLE = 45.0
"""exp(-45) = 3e-20: what lies beyond this many e-foldings does not reach a double."""

CHUNK_ROWS = 4096
"""Rows per block, so that rows x nodes stay in the processor's cache."""


@cache
def unit_rule(n_nodes: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of the Gauss-Legendre rule on [0, 1]."""
    nodes, weights = leggauss(n_nodes)
    return (nodes + 1.0) / 2.0, weights / 2.0


def integrate_log_time(
    rate: Callable[[FloatArray, slice], FloatArray],
    scale: FloatArray,
    horizon: FloatArray,
    *,
    discount: float = 0.0,
    n_nodes: int = 48,
) -> FloatArray:
    """Integrate exp(-discount u) rate(u) over u in [0, horizon], row by row.

    With u = scale (e^v - 1) an algebraic decay on the time scale `scale` becomes an exponential
    one in v, and the horizon may be infinite when there is a discount. `rate(u, rows)` gets a
    matrix of times (row x node) and the slice of rows they belong to.
    """
    nodes, weights = unit_rule(n_nodes)
    if discount > 0:
        horizon = np.minimum(horizon, NEGLIGIBLE / discount)
    result = np.empty(len(scale))
    for first in range(0, len(scale), CHUNK_ROWS):
        rows = slice(first, first + CHUNK_ROWS)
        unit = scale[rows, None]
        length = np.log1p(horizon[rows, None] / unit)
        v = length * nodes
        u = unit * np.expm1(v)
        values = rate(u, rows) * np.exp(v - discount * u)
        result[rows] = (values @ weights) * (length * unit)[:, 0]
    return result
