"""Difference of two means by reshuffling the groups, and the correction for looking at many audiences.

Outcomes of customers are mostly zero with a long tail, and holdouts are small: there the t interval is too narrow.
The studentised permutation test (Janssen 1997; Chung and Romano 2013) is exact where acting had no effect on
anybody, and right in large samples where only the means are equal. It needs no more than how often each outcome
occurs in each group, so its cost does not grow with the number of persons.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

SIGNIFICANCE = 0.05
# So many that 2.5 % in a tail are a whole number; a first result below the level is looked at again in finer steps.
RESHUFFLES, MORE_RESHUFFLES = 1_999, 19_999
_CHUNK = 2_000
_ENDLESS = np.finfo(np.float64).max


@dataclass(frozen=True)
class Group:
    """One group's outcomes: how often each value occurs, and their exact mean and sample variance."""

    counts: NDArray[np.int64]
    mean: float
    variance: float

    @property
    def persons(self) -> int:
        """Number of persons."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class Comparison:
    """Difference of means, treatment minus holdout, with its 95 % interval and two-sided p-value.

    A bound is infinite where the groups are too small to have one.
    """

    difference: float
    ci_low: float
    ci_high: float
    p_value: float


def compare_means(
    values: NDArray[np.float64], treatment: Group, holdout: Group, *, seed: str
) -> Comparison:
    """Compare two groups; the interval leaves out 0 exactly where the p-value is at most 0.05.

    Parameters
    ----------
    values : distinct outcomes, which `counts` of both groups refer to.
    seed : equal seeds give equal results.
    """
    difference = treatment.mean - holdout.mean
    error = sqrt(treatment.variance / treatment.persons + holdout.variance / holdout.persons)
    observed = float(_studentise(np.array([difference]), np.array([error]))[0])
    for reshuffles in (RESHUFFLES, MORE_RESHUFFLES):
        drawn = _reshuffle(values, treatment.counts, holdout.counts, reshuffles, seed)
        p_value = _two_sided(drawn, observed)
        if p_value > SIGNIFICANCE:
            break
    rank = round((drawn.size + 1) * SIGNIFICANCE / 2)
    low, high = (
        _bound(observed, edge, error, difference) for edge in (drawn[-rank], drawn[rank - 1])
    )
    return Comparison(difference, low, high, p_value)


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Holm's correction (1979): of the p-values at most the level, one in twenty families holds a false one.

    It holds however the tests depend on each other, as those of overlapping audiences do.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for position, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - position) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _reshuffle(
    values: NDArray[np.float64],
    treated: NDArray[np.int64],
    held: NDArray[np.int64],
    reshuffles: int,
    seed: str,
) -> NDArray[np.float64]:
    """Studentised differences, ascending, after dealing the same persons anew into groups of the same sizes."""
    random = np.random.default_rng(list(hashlib.sha256(f"{seed}|{reshuffles}".encode()).digest()))
    pool = treated + held
    n_held, n_treated = int(held.sum()), int(treated.sum())
    centred = values - pool @ values / pool.sum()
    powers = np.column_stack([centred, centred**2])
    total = pool @ powers
    found = []
    for start in range(0, reshuffles, _CHUNK):
        size = min(_CHUNK, reshuffles - start)
        dealt = random.multivariate_hypergeometric(pool, n_held, size=size, method="marginals")
        sums = dealt @ powers
        held_mean, held_part = _mean_and_error(sums, n_held)
        treated_mean, treated_part = _mean_and_error(total - sums, n_treated)
        found.append(_studentise(treated_mean - held_mean, np.sqrt(held_part + treated_part)))
    return np.sort(np.concatenate(found))


def _mean_and_error(
    sums: NDArray[np.float64], persons: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean, and its squared standard error, from sums of values and squares."""
    mean = sums[:, 0] / persons
    variance = np.maximum(sums[:, 1] - persons * mean**2, 0.0) / (persons - 1)
    return mean, variance / persons


def _studentise(difference: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Difference in standard errors; a difference without any spread is beyond all others."""
    endless = np.sign(difference) * _ENDLESS
    return np.divide(difference, error, out=endless, where=error > 0)


def _bound(observed: float, edge: float, error: float, difference: float) -> float:
    """The difference that lies `edge` standard errors from the observed one."""
    if not error:
        return difference  # without spread in either group there is nothing to be uncertain about
    if abs(edge) == _ENDLESS:
        return float(-np.sign(edge) * np.inf)
    return 0.0 if abs(observed - edge) <= _slack(observed) else (observed - edge) * error


def _slack(observed: float) -> float:
    """Statistics so close are equal but for the order in which their sums were taken."""
    return 1e-9 * max(1.0, abs(observed))


def _two_sided(drawn: NDArray[np.float64], observed: float) -> float:
    """Twice the smaller tail; the observed one counts as a reshuffle, so the test is exact (Phipson and Smyth 2010)."""
    slack = _slack(observed)
    below = np.searchsorted(drawn, observed + slack, side="right")
    above = drawn.size - np.searchsorted(drawn, observed - slack, side="left")
    return float(min(1.0, 2 * (1 + min(below, above)) / (drawn.size + 1)))
