"""What is believed of an offer in a context: prior and sums of outcomes become a posterior, without Spark.

Arrays have one row a context and one column an offer. As posteriors are functions of sums, they come out the same in
whatever order outcomes arrive, and again at any later time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clvspark.audiences.decisions.config import Learning
from clvspark.audiences.decisions.offers import Offer

FloatArray = npt.NDArray[np.float64]
# A margin that nobody expects anything of would leave no doubt at all.
_LEAST_DEVIATION = 0.01
# How much the expected weight of other contexts counts against what is estimated of it.
_EVIDENCE = 10.0
# Others never leave less doubt than so many trials of one's own would.
_MOST_POOLED = 1000.0


@dataclass(frozen=True)
class Sums:
    """Sums over the outcomes of contacts.

    Parameters
    ----------
    trials : persons decided on.
    successes : those of them with a purchase in the window of measurement.
    margin, margin_square : sum of their margins within the window, and of the squares.
    """

    trials: FloatArray
    successes: FloatArray
    margin: FloatArray
    margin_square: FloatArray

    def borrow(self, most: FloatArray) -> Sums:
        """Own sums and those of the offer's other contexts, which weigh at most `most` trials together, by offer.

        The sums of the others enter with a power between 0 and 1, as in the power prior of Ibrahim & Chen (2000,
        eq. 1): what is known of an offer elsewhere is where a sparse context begins, and no more than that where it
        has outcomes of its own. None of its own is counted twice.
        """
        others = [part.sum(axis=0) - part for part in self.parts]
        power = np.minimum(1.0, most / np.maximum(others[0], 1.0))
        return Sums(*(own + power * other for own, other in zip(self.parts, others, strict=True)))

    @property
    def parts(self) -> tuple[FloatArray, ...]:
        """The four sums, in their order."""
        return (self.trials, self.successes, self.margin, self.margin_square)


@dataclass(frozen=True)
class Priors:
    """What is expected of each offer before any outcome, by offer.

    Parameters
    ----------
    response : probability of a purchase.
    deviation : standard deviation of the margin of a contact.
    """

    response: FloatArray
    margin: FloatArray
    deviation: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Expected margin of a contact."""
        return self.response * self.margin


def list_priors(offers: Sequence[Offer], learning: Learning) -> Priors:
    """Priors of doing nothing and of the offers, in this order.

    A contact brings nothing or, with the probability `response`, a margin that is spread as widely as an exponential
    one: its variance is p (2 - p) margin^2.
    """
    found = [(learning.baseline.response, learning.baseline.margin)]
    found += [(offer.response, offer.margin) for offer in offers]
    response, margin = np.array(found, dtype=np.float64).T
    deviation = np.abs(margin) * np.sqrt(response * (2.0 - response))
    return Priors(response, margin, np.maximum(deviation, _LEAST_DEVIATION))


@dataclass(frozen=True)
class Posteriors:
    """Normal-inverse-gamma posterior of the margin of a contact, and beta posterior of its success.

    Parameters
    ----------
    mean, weight, shape, rate : mu, kappa, alpha and beta of the normal-inverse-gamma distribution.
    successes, failures : both parameters of the beta distribution.
    """

    mean: FloatArray
    weight: FloatArray
    shape: FloatArray
    rate: FloatArray
    successes: FloatArray
    failures: FloatArray

    @property
    def response(self) -> FloatArray:
        """Expected probability of success."""
        return self.successes / (self.successes + self.failures)

    @property
    def scale(self) -> FloatArray:
        """Scale of Student's t distribution of the mean margin, which has ``2 * shape`` degrees of freedom.

        Murphy (2007), Conjugate Bayesian analysis of the Gaussian distribution, section 3.4.
        """
        return np.sqrt(self.rate / (self.shape * self.weight))


def estimate_pooling(
    trials: FloatArray, total: FloatArray, squares: FloatArray, expected: float
) -> FloatArray:
    """How many trials the other contexts of an offer weigh in each of them, by offer.

    In: number, sum and sum of squares of the outcomes; what to expect before there are any, 0 for contexts that learn
    apart. It is the credibility K = variance within / variance between contexts of Buehlmann & Straub (1970): where
    contexts differ by much, what is known of others says little. Their estimators are unbiased, and so uncertain
    at first that the expected K counts as much as `_EVIDENCE` times as many trials.
    """
    if expected == 0:
        return np.zeros(trials.shape[1])
    count = np.maximum(trials, 1.0)
    everything = np.maximum(trials.sum(axis=0), 1.0)
    seen = np.maximum(np.count_nonzero(trials, axis=0), 1)
    within = (squares - total**2 / count).sum(axis=0) / np.maximum(everything - seen, 1.0)
    mean = total.sum(axis=0) / everything
    spread = (trials * (total / count - mean) ** 2).sum(axis=0) - (seen - 1) * within
    weight = everything - (trials**2).sum(axis=0) / everything
    evidence = _EVIDENCE * expected
    between = (spread + _EVIDENCE * within) / (weight + evidence)
    is_apart = (between > 0) & (within > 0)
    credibility = within / np.where(is_apart, between, 1.0)
    least = np.where(within > 0, _MOST_POOLED, expected)
    return np.where(is_apart, np.minimum(credibility, _MOST_POOLED), least)


def update_posteriors(priors: Priors, sums: Sums, learning: Learning) -> Posteriors:
    """Posterior of every context and offer from the sums of all outcomes that count.

    Normal-inverse-gamma: Murphy (2007), eqs. 85 to 89, with ``learning.prior_trials`` as kappa_0 and a prior
    variance that weighs as much. Contexts learn from each other as `Sums.borrow` and `estimate_pooling` say.
    """
    weight, pooling = learning.prior_trials, learning.pooling_trials
    known = sums.borrow(estimate_pooling(sums.trials, sums.margin, sums.margin_square, pooling))
    trials = known.trials
    average = known.margin / np.maximum(trials, np.finfo(float).tiny)
    scatter = np.maximum(known.margin_square - known.margin * average, 0.0)
    shape = 1.0 + weight / 2.0
    moved = weight * trials * (average - priors.mean) ** 2 / (2.0 * (weight + trials))
    won = sums.borrow(estimate_pooling(sums.trials, sums.successes, sums.successes, pooling))
    return Posteriors(
        mean=(weight * priors.mean + known.margin) / (weight + trials),
        weight=weight + trials,
        shape=shape + trials / 2.0,
        rate=shape * priors.deviation**2 + scatter / 2.0 + moved,
        successes=weight * priors.response + won.successes,
        failures=weight * (1.0 - priors.response) + won.trials - won.successes,
    )
