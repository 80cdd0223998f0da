"""Maximum likelihood in log-parameters: several starts, L-BFGS-B, Newton, and a verdict.

Coefficients of standardised covariates follow the log-parameters. They are logarithms of a ratio too, between
customers one standard deviation apart, and cannot plausibly be as large.

The verdict is the Newton decrement: how much log-likelihood a quadratic model of the surface
still promises. It does not depend on the units of the data or on the number of customers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from clvspark.clv.models.errors import ConvergenceError
from clvspark.clv.models.summary import FloatArray

Objective = Callable[[FloatArray], tuple[float, FloatArray]]
"""log-parameters -> (log-likelihood per customer, its gradient)."""

ManyObjective = Callable[[Sequence[FloatArray]], list[tuple[float, FloatArray]]]
"""The same at several points, which may be cheaper together than one by one."""

MAX_LOG_DISTANCE = 14.0
"""A parameter further than e**14 from its natural scale has run off to zero or infinity."""

MAX_LOG_STANDARD_ERROR = 10.0
"""Beyond this a parameter is not known to within e**20: the data do not identify it."""

MAX_COEFFICIENT = 8.0
"""A coefficient beyond this has run off to infinity: e**8 for each standard deviation."""

MAX_COEFFICIENT_STANDARD_ERROR = 3.0
"""Beyond this the data do not say whether a coefficient is -6 or 6."""

FLAT_SHARE = 0.1
"""Part of a flat direction that a parameter has at least to be named for it."""

MAX_PROMISED_GAIN = 1e-4
"""Total log-likelihood that may be left on the table."""

NEWTON_STEPS = 8


@dataclass(frozen=True)
class Maximum:
    """A verified maximum: where it is, how high, and how sharp."""

    log_params: FloatArray
    mean_log_likelihood: float
    log_covariance: FloatArray
    n_iterations: int


def maximise(
    objective: Objective,
    starts: Sequence[FloatArray],
    *,
    names: Sequence[str],
    n_customers: float,
    n_coefficients: int = 0,
    screening: Objective | None = None,
    together: ManyObjective | None = None,
) -> Maximum:
    """Find the parameters that maximise the likelihood, or raise `ConvergenceError`.

    `starts[0]` also sets the natural scale of each parameter, from which the bounds are counted.
    The last `n_coefficients` of `names` are coefficients of standardised covariates.
    `screening` (the same likelihood on fewer rows) chooses the best start cheaply, and tells the curvature there.
    `together` evaluates the objective at several points, for the Hessian.
    """
    n_logs = len(names) - n_coefficients
    distance = [MAX_LOG_DISTANCE] * n_logs + [MAX_COEFFICIENT] * n_coefficients
    vague = [MAX_LOG_STANDARD_ERROR] * n_logs + [MAX_COEFFICIENT_STANDARD_ERROR] * n_coefficients
    bounds = [(v - d, v + d) for v, d in zip(starts[0], distance, strict=True)]
    n_iterations = 0
    if screening is not None:
        screened = [_climb(screening, start, bounds) for start in starts]
        n_iterations += sum(run[2] for run in screened)
        starts = [max(screened, key=lambda run: run[1])[0]]
        near = _approach(objective, screening, starts[0])
        runs = [near or _climb(objective, starts[0], bounds)]
    else:
        runs = [_climb(objective, start, bounds) for start in starts]
    n_iterations += sum(run[2] for run in runs)
    best = max(runs, key=lambda run: run[1])[0]
    _refuse_runaways(best, bounds, names, n_logs)
    log_params, value, hessian, steps = _polish(
        objective, together or partial(one_by_one, objective), best, n_customers, names
    )
    covariance: FloatArray = np.linalg.inv(hessian * n_customers).astype(np.float64)
    _refuse_unidentified(covariance, names, vague)
    return Maximum(log_params, value, covariance, n_iterations + steps)


def _approach(
    objective: Objective, screening: Objective, start: FloatArray
) -> tuple[FloatArray, float, int] | None:
    """Climb by BFGS from the maximum of fewer rows, whose curvature spares most of the steps; None if that fails."""
    hessian = negative_hessian(partial(one_by_one, screening), start)
    if not (np.all(np.isfinite(hessian)) and np.linalg.eigvalsh(hessian)[0] > 0):
        return None
    inverse = np.linalg.inv(hessian)
    run = minimize(
        _negative(objective),
        start,
        jac=True,
        method="BFGS",
        options={"hess_inv0": 0.5 * (inverse + inverse.T), "gtol": 1e-8, "maxiter": 50},
    )
    return _outcome(run) if run.success else None


def _climb(
    objective: Objective, start: FloatArray, bounds: list[tuple[float, float]]
) -> tuple[FloatArray, float, int]:
    low, high = np.array(bounds).T
    run = minimize(
        _negative(objective),
        np.clip(start, low, high),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 500, "maxfun": 1000, "ftol": 1e-13, "gtol": 1e-8, "maxcor": 20},
    )
    return _outcome(run)


def _negative(objective: Objective) -> Objective:
    """What is minimised: a finite wall where nothing is finite, from which a line search backs off."""

    def negative(log_params: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = objective(log_params)
        if not (np.isfinite(value) and np.all(np.isfinite(gradient))):
            return 1e10, np.zeros_like(log_params)
        return -value, -gradient

    return negative


def _outcome(run: OptimizeResult) -> tuple[FloatArray, float, int]:
    return np.asarray(run.x, dtype=np.float64), -float(run.fun), int(run.nit)


def _polish(
    objective: Objective,
    together: ManyObjective,
    log_params: FloatArray,
    n_customers: float,
    names: Sequence[str],
) -> tuple[FloatArray, float, FloatArray, int]:
    """Newton steps from the optimiser's answer until no gain is promised."""
    value, gradient = objective(log_params)
    promised, steps = np.inf, 0
    while steps < NEWTON_STEPS:
        steps += 1
        hessian = negative_hessian(together, log_params)
        curvature, directions = np.linalg.eigh(hessian)
        if curvature[0] <= 0:
            shares = np.abs(directions[:, 0])
            flat = [name for name, s in zip(names, shares, strict=True) if s > FLAT_SHARE]
            raise ConvergenceError(
                f"the likelihood is flat or saddle-shaped in ({', '.join(flat)}); these data do "
                "not identify the model: add customers or a longer history, or fit another model"
            )
        direction = np.linalg.solve(hessian, gradient)
        promised = 0.5 * float(gradient @ direction) * n_customers
        candidate, candidate_gradient = objective(log_params + direction)
        if not candidate > value:
            break
        log_params, value, gradient = log_params + direction, candidate, candidate_gradient
        if promised < MAX_PROMISED_GAIN * 1e-4:
            break
    if not promised < MAX_PROMISED_GAIN:
        raise ConvergenceError(
            f"stopped {promised:.3g} below the maximum log-likelihood it expects, after "
            f"{steps} Newton steps in ({', '.join(names)}); allowed: {MAX_PROMISED_GAIN}; "
            "check the summary for outliers, or fit another model"
        )
    return log_params, value, hessian, steps


def negative_hessian(together: ManyObjective, log_params: FloatArray) -> FloatArray:
    """Negative Hessian per customer, by central differences of the analytic gradient."""
    width = 1e-4
    steps = width * np.eye(len(log_params))
    gradients = [g for _, g in together([*(log_params + steps), *(log_params - steps)])]
    ahead, behind = np.array(gradients[: len(steps)]), np.array(gradients[len(steps) :])
    hessian = (behind - ahead) / (2 * width)
    return np.asarray(0.5 * (hessian + hessian.T), dtype=np.float64)


def one_by_one(
    objective: Objective, points: Sequence[FloatArray]
) -> list[tuple[float, FloatArray]]:
    """The objective at each of several points: what `together` comes to where nothing is gained."""
    return [objective(point) for point in points]


def _refuse_runaways(
    log_params: FloatArray, bounds: list[tuple[float, float]], names: Sequence[str], n_logs: int
) -> None:
    ends = [
        "below" if value < low + 0.5 else "above" if value > high - 0.5 else ""
        for value, (low, high) in zip(log_params, bounds, strict=True)
    ]
    # Where a coefficient runs off, parameters go with it; the coefficient is what to change.
    for name, end in zip(names[n_logs:], ends[n_logs:], strict=True):
        if end:
            raise ConvergenceError(
                f"coefficient {name} runs off to {'minus ' if end == 'below' else ''}infinity: its "
                "covariate separates customers that bought or left from all others; leave the "
                "covariate out, or merge its category with another"
            )
    for name, end in zip(names[:n_logs], ends[:n_logs], strict=True):
        if end:
            where = "zero" if end == "below" else "infinity"
            raise ConvergenceError(
                f"parameter {name} runs off to {where}: the likelihood has no interior maximum; "
                "the data show too little variety between customers for this model; add "
                "customers or a longer history, or fit a model with fewer assumptions"
            )


def _refuse_unidentified(
    covariance: FloatArray, names: Sequence[str], limits: Sequence[float]
) -> None:
    errors = np.sqrt(np.diag(covariance))
    named = zip(names, errors, limits, strict=True)
    vague = [(name, limit) for name, error, limit in named if not error < limit]
    if vague:
        raise ConvergenceError(
            f"parameter(s) {', '.join(name for name, _ in vague)} not identified: the standard "
            f"error of the logarithm exceeds {min(limit for _, limit in vague):g}; add customers "
            "or a longer history, leave out covariates, or fit another model"
        )
