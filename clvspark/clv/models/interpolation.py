"""Chebyshev interpolation of an expensive, smooth function of one variable in many groups."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.polynomial import chebyshev

from clvspark.clv.models.summary import FloatArray

N_NODES = 32

TOLERANCE = 1e-10
"""Size of the last coefficients, relative to the first, below which the series has converged."""


def interpolate_within_groups(
    function: Callable[[FloatArray, FloatArray], FloatArray], group: FloatArray, value: FloatArray
) -> FloatArray:
    """Evaluate `function(group, value)`, exactly or to about 1e-10, with few calls.

    Groups with many rows are evaluated at Chebyshev nodes of `value` and interpolated; small
    groups, and groups whose series has not converged, are evaluated row by row.
    """
    keys, where, counts = np.unique(group, return_inverse=True, return_counts=True)
    large = np.flatnonzero(counts > 2 * N_NODES)
    direct = np.ones(len(group), dtype=bool)
    result = np.empty(len(group))
    if len(large):
        by_group = np.split(np.argsort(where, kind="stable"), np.cumsum(counts)[:-1])
        members = [by_group[i] for i in large]
        low = np.array([value[rows].min() for rows in members])
        span = np.array([np.ptp(value[rows]) for rows in members])
        points = chebyshev.chebpts1(N_NODES)
        nodes = low[:, None] + span[:, None] * (points + 1.0) / 2.0
        at_nodes = function(np.repeat(keys[large], N_NODES), nodes.ravel()).reshape(nodes.shape)
        basis = chebyshev.chebvander(points, N_NODES - 1)
        coefficients = at_nodes @ basis * np.where(np.arange(N_NODES) > 0, 2.0, 1.0) / N_NODES
        tail = np.abs(coefficients[:, -4:]).max(axis=1)
        for i in np.flatnonzero(tail < TOLERANCE * np.abs(coefficients[:, 0])):
            rows = members[i]
            scaled = 2.0 * (value[rows] - low[i]) / (span[i] or 1.0) - 1.0
            result[rows] = chebyshev.chebval(scaled, coefficients[i])
            direct[rows] = False
    if np.any(direct):
        result[direct] = function(group[direct], value[direct])
    return result
