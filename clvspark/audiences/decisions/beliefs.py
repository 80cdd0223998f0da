"""Rankings as distributions of scores: what is drawn to decide, and how probable a draw was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import special

from clvspark.audiences.decisions.config import Learning, Ranking
from clvspark.audiences.decisions.offers import Offer
from clvspark.audiences.decisions.posteriors import FloatArray, Posteriors

# Scores of a ranking that draws nothing differ by more than this, or are taken for equal and drawn by lot.
_LOT = 1e-6


class Beliefs(Protocol):
    """Scores of offers by context, each of a distribution of its own; offers are drawn independently."""

    def draw(self, contexts: np.ndarray, uniforms: FloatArray) -> FloatArray:
        """Score of each offer (column) for persons in these contexts, by numbers between 0 and 1."""

    def below(self, context: int, scores: FloatArray) -> FloatArray:
        """Probability that each offer (row) scores at most so much."""


@dataclass(frozen=True)
class GaussianBeliefs:
    """Student's t: the mean of a Gaussian margin whose variance is not known."""

    location: FloatArray
    scale: FloatArray
    degrees: FloatArray

    def draw(self, contexts: np.ndarray, uniforms: FloatArray) -> FloatArray:
        """See `Beliefs`; by inversion."""
        steps = special.stdtrit(self.degrees[contexts], uniforms)
        return self.location[contexts] + self.scale[contexts] * steps

    def below(self, context: int, scores: FloatArray) -> FloatArray:
        """See `Beliefs`."""
        steps = (scores - self.location[context][:, None]) / self.scale[context][:, None]
        return special.stdtr(self.degrees[context][:, None], steps)


@dataclass(frozen=True)
class BetaBeliefs:
    """A beta probability times a price, less a cost; a price below 0 turns the order round."""

    successes: FloatArray
    failures: FloatArray
    price: FloatArray
    offset: FloatArray

    def draw(self, contexts: np.ndarray, uniforms: FloatArray) -> FloatArray:
        """See `Beliefs`; by inversion."""
        found = special.betaincinv(self.successes[contexts], self.failures[contexts], uniforms)
        return found * self.price + self.offset[contexts]

    def below(self, context: int, scores: FloatArray) -> FloatArray:
        """See `Beliefs`."""
        price = np.where(self.price == 0, _LOT, self.price)[:, None]
        share = np.clip((scores - self.offset[context][:, None]) / price, 0.0, 1.0)
        rising = special.betainc(
            self.successes[context][:, None], self.failures[context][:, None], share
        )
        return np.where(price > 0, rising, 1.0 - rising)


@dataclass(frozen=True)
class EvenBeliefs:
    """Anything between `low` and ``low + width`` with the same probability: a lot, or what breaks ties."""

    low: FloatArray
    width: float

    def draw(self, contexts: np.ndarray, uniforms: FloatArray) -> FloatArray:
        """See `Beliefs`."""
        return self.low[contexts] + self.width * uniforms

    def below(self, context: int, scores: FloatArray) -> FloatArray:
        """See `Beliefs`."""
        return np.clip((scores - self.low[context][:, None]) / self.width, 0.0, 1.0)


def value_contacts(
    posteriors: Posteriors, offers: Sequence[Offer], learning: Learning
) -> FloatArray:
    """Expected margin of a contact, net of its costs, of doing nothing and of each offer, by context."""
    per_contact, per_redemption = _costs(offers)
    if learning.reward == "conversion":
        return posteriors.response * (_margins(offers, learning) - per_redemption) - per_contact
    return posteriors.mean - per_contact - per_redemption * posteriors.response


def believe(
    ranking: Ranking,
    posteriors: Posteriors,
    offers: Sequence[Offer],
    learning: Learning,
    *,
    contexts: Sequence[str],
    order: Sequence[str],
) -> Beliefs:
    """Scores by which a ranking decides, of doing nothing and of each offer.

    `learning`: the margin of a contact net of its costs, less what is expected of doing nothing there: the draw with
    the highest score is Thompson's (1933). `classic`: propensity x context x value x lever, P being the posterior's
    expected response. `fixed`: the place in `order`. `random`: a lot.
    """
    if ranking == "learning":
        return _believe_margins(posteriors, offers, learning)
    shape = posteriors.mean.shape
    if ranking == "random":
        return EvenBeliefs(np.zeros(shape), 1.0)
    low = np.zeros(shape)
    if ranking == "fixed":
        places = {name: float(-place) for place, name in enumerate(order)}
        low[:, 1:] = [places.get(offer.id, 0.0) for offer in offers]
        return EvenBeliefs(low, 0.5)
    for column, offer in enumerate(offers, 1):
        weights = [_weigh(offer.context_weights, context) for context in contexts]
        value = (offer.margin - offer.cost_per_redemption) * offer.lever
        low[:, column] = posteriors.response[:, column] * np.array(weights) * value
    return EvenBeliefs(low, _LOT)


def is_nothing_ranked(ranking: Ranking) -> bool:
    """Whether doing nothing is ranked beside the offers."""
    return ranking in ("learning", "random")


def _believe_margins(
    posteriors: Posteriors, offers: Sequence[Offer], learning: Learning
) -> Beliefs:
    values = value_contacts(posteriors, offers, learning)
    nothing = values[:, :1]
    if learning.reward == "conversion":
        per_contact, per_redemption = _costs(offers)
        price = _margins(offers, learning) - per_redemption
        offset = np.broadcast_to(-per_contact, values.shape) - nothing
        return BetaBeliefs(posteriors.successes, posteriors.failures, price, offset)
    return GaussianBeliefs(values - nothing, posteriors.scale, 2.0 * posteriors.shape)


def _costs(offers: Sequence[Offer]) -> tuple[FloatArray, FloatArray]:
    """Cost of a contact and of a redemption, of doing nothing and of each offer."""
    contact = [0.0, *(offer.cost_per_contact for offer in offers)]
    redemption = [0.0, *(offer.cost_per_redemption for offer in offers)]
    return np.array(contact), np.array(redemption)


def _margins(offers: Sequence[Offer], learning: Learning) -> FloatArray:
    return np.array([learning.baseline.margin, *(offer.margin for offer in offers)])


def _weigh(weights: Mapping[str, float], context: str) -> float:
    """Product of the weights of the parts of a context, e.g. ``clv_decile=1|lifecycle_stage=core``."""
    return float(np.prod([weights.get(part, 1.0) for part in context.split("|")]))
