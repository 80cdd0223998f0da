"""A market whose truth is known, to see what a ranking earns before it is let loose on customers; without Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clvspark.audiences.decisions.beliefs import believe, is_nothing_ranked
from clvspark.audiences.decisions.config import Learning, Ranking
from clvspark.audiences.decisions.offers import Offer
from clvspark.audiences.decisions.posteriors import (
    FloatArray,
    Posteriors,
    Sums,
    list_priors,
    update_posteriors,
)


@dataclass(frozen=True)
class Market:
    """Customers of some contexts, and what really becomes of doing nothing (first column) or of an offer.

    Parameters
    ----------
    offers : as a business would describe them, rightly or not.
    response, margin : probability of a purchase, and its mean margin, by context and offer; margins of purchases are
        exponential, so that most contacts bring nothing and a few a lot.
    shares : of the contexts among the customers.
    """

    offers: tuple[Offer, ...]
    response: FloatArray
    margin: FloatArray
    shares: FloatArray

    @property
    def contexts(self) -> list[str]:
        """Names of the contexts."""
        return [f"clv_decile={number}" for number in range(1, len(self.shares) + 1)]

    @property
    def value(self) -> FloatArray:
        """True expected margin of a contact, net of its costs, by context and offer."""
        contact = np.array([0.0, *(offer.cost_per_contact for offer in self.offers)])
        redemption = np.array([0.0, *(offer.cost_per_redemption for offer in self.offers)])
        return self.response * (self.margin - redemption) - contact


def draw_market(seed: int, *, contexts: int = 4, offers: int = 3) -> Market:
    """A market in which offers help some contexts, and in others cost more than they bring."""
    generator = np.random.default_rng([seed, 0])
    base = generator.uniform(0.02, 0.12, (contexts, 1))
    lift = generator.normal(0.02, 0.04, (contexts, offers))
    response = np.clip(np.hstack([base, base + lift]), 0.005, 0.5)
    margin = generator.uniform(30.0, 90.0, (contexts, 1)) * np.ones(offers + 1)
    described = tuple(
        Offer(
            id=f"offer_{number}",
            name=f"Offer {number}",
            goal="margin",
            channels=["email"],
            cost_per_contact=float(generator.uniform(0.05, 0.5)),
            cost_per_redemption=float(generator.uniform(1.0, 10.0)),
            response=0.08,
            margin=60.0,
        )
        for number in range(1, offers + 1)
    )
    return Market(described, response, margin, generator.dirichlet(np.full(contexts, 5.0)))


@dataclass(frozen=True)
class Course:
    """What a ranking earned day by day: realised margin net of costs, and what was lost against the best choice.

    Both are cumulative; `regret` counts true expected values, so that luck is not in it.
    """

    margin: FloatArray
    regret: FloatArray


def play(
    market: Market,
    ranking: Ranking,
    learning: Learning,
    *,
    seed: int,
    days: int = 90,
    customers: int = 300,
) -> Course:
    """Let a ranking decide every day on new customers, and learn overnight from what came of it.

    Customers, their chance and their purchases are the same for every ranking of a seed.
    """
    shape = market.response.shape
    sums = Sums(*(np.zeros(shape) for _ in range(4)))
    priors = list_priors(market.offers, learning)
    margins, regrets = np.zeros(days), np.zeros(days)
    for day in range(days):
        generator = np.random.default_rng([seed, day + 1])
        context = generator.choice(len(market.shares), customers, p=market.shares)
        uniforms = generator.random((customers, shape[1]))
        posteriors = update_posteriors(priors, sums, learning)
        chosen = _choose(market, ranking, learning, posteriors, context, uniforms)
        bought = generator.random(customers) < market.response[context, chosen]
        spent = generator.exponential(1.0, customers) * market.margin[context, chosen] * bought
        sums = _add(sums, context, chosen, bought, spent)
        margins[day] = float(np.sum(spent - _cost(market.offers, chosen, bought)))
        value = market.value[context]
        regrets[day] = float(np.sum(value.max(axis=1) - value[np.arange(customers), chosen]))
    return Course(np.cumsum(margins), np.cumsum(regrets))


def _choose(
    market: Market,
    ranking: Ranking,
    learning: Learning,
    posteriors: Posteriors,
    context: np.ndarray,
    uniforms: FloatArray,
) -> np.ndarray:
    beliefs = believe(
        ranking,
        posteriors,
        market.offers,
        learning,
        contexts=market.contexts,
        order=[offer.id for offer in market.offers],
    )
    scores = beliefs.draw(context, uniforms)
    if not is_nothing_ranked(ranking):
        scores[:, 0] = -np.inf
    return np.argmax(scores, axis=1)


def _add(
    sums: Sums, context: np.ndarray, chosen: np.ndarray, bought: np.ndarray, spent: FloatArray
) -> Sums:
    """The sums with the outcomes of one more day."""
    found = []
    for known, new in zip(sums.parts, (np.ones(len(spent)), bought, spent, spent**2), strict=True):
        total = known.copy()
        np.add.at(total, (context, chosen), new)
        found.append(total)
    return Sums(*found)


def _cost(offers: Sequence[Offer], chosen: np.ndarray, bought: np.ndarray) -> FloatArray:
    contact = np.array([0.0, *(offer.cost_per_contact for offer in offers)])
    redemption = np.array([0.0, *(offer.cost_per_redemption for offer in offers)])
    return contact[chosen] + redemption[chosen] * bought
