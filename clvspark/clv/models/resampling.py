"""The Poisson bootstrap: the maximum of the likelihood when customers are counted anew.

A likelihood that depends on customers through counts of distinct rows is resampled by drawing
each count from a Poisson distribution around it; no customer is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from clvspark.clv.models.errors import ConvergenceError, InvalidArgumentError
from clvspark.clv.models.fitting import Objective, maximise, negative_hessian, one_by_one
from clvspark.clv.models.summary import FloatArray, Groups

CHORD_STEPS = 30

NEGLIGIBLE_GAIN = 1e-6
"""Total log-likelihood still promised at which a resample counts as fitted."""


def resample_maxima(
    objective_of: Callable[[Groups], Objective],
    groups: Groups,
    start: FloatArray,
    *,
    names: Sequence[str],
    n_draws: int,
    seed: int,
    n_coefficients: int = 0,
) -> FloatArray:
    """Maxima of `n_draws` resamples (draw x parameter), each climbed to from the estimate `start`.

    A resample without an interior maximum (a parameter runs off to a bound) is left out. Raises
    `ConvergenceError` if more than half are: then the bound itself is a likely value.

    Source: Chamandy et al. (2012), "Estimating uncertainty for massive data streams", for Poisson
    weights in the place of multinomial ones.
    """
    if n_draws < 2:
        raise InvalidArgumentError(f"n_draws: must be at least 2; got {n_draws!r}")
    rng = np.random.default_rng(seed)
    hessian = negative_hessian(partial(one_by_one, objective_of(groups)), start)
    maxima = []
    for _ in range(n_draws):
        weight = rng.poisson(groups.weight).astype(np.float64)
        resample = Groups(groups.columns, weight).where(weight > 0)
        found = _maximum(objective_of, resample, start, hessian, names, n_coefficients)
        if found is not None:
            maxima.append(found)
    if len(maxima) < max(2.0, n_draws / 2):
        raise ConvergenceError(
            f"{n_draws - len(maxima)} of {n_draws} resamples have no interior maximum in "
            f"({', '.join(names)}); these data hardly identify the model: add customers or a longer "
            "history, or fit a model with fewer parameters"
        )
    return np.array(maxima)


def _maximum(
    objective_of: Callable[[Groups], Objective],
    groups: Groups,
    start: FloatArray,
    hessian: FloatArray,
    names: Sequence[str],
    n_coefficients: int,
) -> FloatArray | None:
    """Newton steps with the Hessian of all customers; the whole search where they do not settle."""
    if len(groups) == 0:
        return None
    objective, at = objective_of(groups), start
    value, gradient = objective(at)
    for _ in range(CHORD_STEPS):
        step = np.linalg.solve(hessian, gradient)
        if float(gradient @ step) * groups.n_customers < NEGLIGIBLE_GAIN:
            return at
        ahead, slope = objective(at + step)
        if not ahead > value:
            break
        at, value, gradient = at + step, ahead, slope
    try:
        found = maximise(
            objective,
            [start],
            names=names,
            n_customers=groups.n_customers,
            n_coefficients=n_coefficients,
        )
    except ConvergenceError:
        return None
    return found.log_params
