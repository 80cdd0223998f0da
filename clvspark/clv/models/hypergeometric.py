"""Gauss's hypergeometric function, made safe near the integers where libraries lose it."""

from __future__ import annotations

import numpy as np
from scipy.special import hyp2f1

from clvspark.clv.models.summary import FloatArray

NEAR_INTEGER = 1e-7


def gauss_2f1(
    a: FloatArray | float, b: FloatArray | float, c: FloatArray | float, z: FloatArray | float
) -> FloatArray:
    """2F1(a, b; c; z) for 0 <= z < 1.

    For z near 1 SciPy joins two series whose coefficients have poles at whole c - a - b. Within
    1e-9 of one the poles no longer cancel (the result may be infinite). The function itself is
    smooth there, so the mean of two neighbours, 2e-7 away in `a`, stands in: its error is about
    1e-13.
    """
    a, b, c, z = (np.asarray(value, dtype=np.float64) for value in (a, b, c, z))
    gap = c - a - b
    near = np.abs(gap - np.rint(gap)) < NEAR_INTEGER
    if not np.any(near):
        return np.asarray(hyp2f1(a, b, c, z), dtype=np.float64)
    step = np.where(near, 2.0 * NEAR_INTEGER, 0.0)
    neighbours = [hyp2f1(a + side * step, b, c, z) for side in (-1.0, 1.0)]
    return np.mean(neighbours, axis=0, dtype=np.float64)
