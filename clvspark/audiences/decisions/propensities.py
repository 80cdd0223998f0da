"""How probable a choice was, exactly: needed to judge other rankings by what this one has chosen."""

from __future__ import annotations

import numpy as np
from scipy import special

from clvspark.audiences.decisions.beliefs import Beliefs
from clvspark.audiences.decisions.posteriors import FloatArray

# Probabilities at which each offer's scores are looked up: dense in both tails, down to 1 in a million.
_PROBABILITIES = special.expit(np.linspace(-14.0, 14.0, 129))


def list_choice_probabilities(
    beliefs: Beliefs, context: int, cutoffs: FloatArray
) -> tuple[FloatArray, float]:
    """Probability that each offer is chosen, and that nothing is left to choose.

    In: for each offer the score that it must exceed to be had; NaN where it cannot be chosen, minus infinity where
    any will do. An offer is chosen where its score exceeds its cut-off and no other that exceeds its own scores
    higher: P(a) = integral of the product of F_b(max(x, c_b)) over all b but a, by dF_a(x), for x above c_a. The
    integral is a Riemann-Stieltjes sum over the quantiles of all offers, so that it is as fine wherever one of them
    is narrow. Who is had by cut-offs is a stable matching (Azevedo & Leshno 2016); one person does not move them.
    """
    known = ~np.isnan(cutoffs)
    probabilities = np.zeros(len(cutoffs))
    if not known.any():
        return probabilities, 1.0
    found = beliefs.draw(
        np.full(_PROBABILITIES.size, context), np.repeat(_PROBABILITIES[:, None], len(cutoffs), 1)
    )
    bounds = cutoffs[known]
    grid = np.unique(np.concatenate([found[:, known].ravel(), bounds[np.isfinite(bounds)]]))
    least = _at_cutoffs(beliefs, context, cutoffs)[known]
    below = np.maximum(beliefs.below(context, grid)[known], least[:, None])
    below = np.column_stack([least, below, np.ones(len(least))])
    gained = np.diff(below, axis=1)
    for row, offer in enumerate(np.flatnonzero(known)):
        others = np.prod(np.delete(below, row, axis=0), axis=0)
        probabilities[offer] = float(np.sum(gained[row] * (others[1:] + others[:-1]) / 2.0))
    nothing = float(np.prod(least))
    total = probabilities.sum()
    return (probabilities * ((1.0 - nothing) / total) if total > 0 else probabilities), nothing


def _at_cutoffs(beliefs: Beliefs, context: int, cutoffs: FloatArray) -> FloatArray:
    """Probability of each offer to score at most its cut-off."""
    finite = np.where(np.isfinite(cutoffs), cutoffs, 0.0)
    below = np.diagonal(beliefs.below(context, finite)).copy()
    below[np.isneginf(cutoffs)] = 0.0
    below[np.isposinf(cutoffs)] = 1.0
    return below
