"""Configuration of moments and decisions: journeys, offers, rankings, and the caps over all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal

from pydantic import Field

from clvspark.audiences.decisions.offers import ID, NO_OFFER, Offer
from clvspark.audiences.moments.definitions import Moment
from clvspark.lakehouse.strict_model import StrictModel, check, repeated
from clvspark.privacy.consent import Channel

ContextColumn = Literal["clv_decile", "lifecycle_stage"]
Ranking = Literal["learning", "classic", "random", "fixed"]


class DecisionPoint(StrictModel):
    """A place in the relationship at which something may be offered.

    Parameters
    ----------
    audiences : members of one of them are decided on; none: everybody who is valued.
    offers : ids of those that may be made here, for the ranking `fixed` in its order; none: all, by id.
    fallback : offer to who can be made none of the others; it is not ranked. None: nothing is done.
    """

    id: str = Field(pattern=ID)
    audiences: list[str] = Field(default_factory=list)
    offers: list[str] = Field(default_factory=list)
    ranking: Ranking = "learning"
    fallback: str | None = None

    @check
    def _fallback_apart(self) -> Iterator[str]:
        if self.fallback in self.offers:
            yield f"the fallback {self.fallback} cannot be ranked as well; take it out of offers"


class FrequencyCap(StrictModel):
    """At most so many contacts of a person within so many days, the day itself included, over all campaigns."""

    contacts: int = Field(ge=0)
    within_days: int = Field(ge=1)
    channel: Channel | None = Field(None, description="None: all channels together")


class DailyLimits(StrictModel):
    """At most so many contacts by decisions of one date, over all persons."""

    contacts: int | None = Field(None, ge=0)
    by_channel: dict[Channel, int] = Field(default_factory=dict)


class Baseline(StrictModel):
    """What is expected of a person to whom nothing is offered, within the window of measurement."""

    response: float = Field(0.03, gt=0, lt=1, description="probability of a purchase")
    margin: float = Field(20.0, allow_inf_nan=False, description="margin of such a purchase")


class Learning(StrictModel):
    """How outcomes become what is believed of an offer.

    Parameters
    ----------
    reward : `margin`: the mean margin of a contact, Gaussian with unknown variance (normal-inverse-gamma);
        `conversion`: the probability of a purchase (beta), times the margin that the offer names.
    context : columns by which beliefs are kept apart.
    prior_trials : how many contacts the prior of an offer weighs as much as.
    pooling_trials : how many contacts the other contexts of an offer are expected to weigh as much as in each of them,
        until outcomes tell how much contexts differ; 0: contexts learn apart.
    window_days : outcomes are known so many days after the decision; as measurement has it, so that a date that is
        decided on again later learns no more than it could then.
    memory_days : older outcomes are left out; None: all count.
    """

    reward: Literal["margin", "conversion"] = "margin"
    context: list[ContextColumn] = Field(["clv_decile", "lifecycle_stage"])
    prior_trials: float = Field(10.0, gt=0, allow_inf_nan=False)
    pooling_trials: float = Field(30.0, ge=0, allow_inf_nan=False)
    window_days: int = Field(0, ge=0)
    memory_days: int | None = Field(None, ge=1)
    baseline: Baseline = Baseline()  # type: ignore[call-arg]

    @check
    def _remembers_what_is_known(self) -> Iterator[str]:
        if self.memory_days is not None and self.memory_days <= self.window_days:
            yield "memory_days must be more than window_days, or no outcome ever counts"

    @check
    def _each_column_once(self) -> Iterator[str]:
        if twice := repeated(self.context):
            yield f"context names {', '.join(twice)} more than once"


class DecisionsConfig(StrictModel):
    """Moments, offers and decision points, and the caps that bound them together."""

    moments: list[Moment] = Field(
        default_factory=list, description="in the order in which their steps count for the caps"
    )
    offers: list[Offer] = Field(default_factory=list)
    points: list[DecisionPoint] = Field(
        default_factory=list, description="a person is decided on once a date, at the first of them"
    )
    learning: Learning = Learning()  # type: ignore[call-arg]
    caps: list[FrequencyCap] = Field(default_factory=list)
    limits: DailyLimits = DailyLimits()  # type: ignore[call-arg]
    salt: str = Field(
        "clvspark", min_length=1, description="changing it draws other decisions of the same dates"
    )

    @check
    def _each_once(self) -> Iterator[str]:
        if twice := repeated(offer.id for offer in self.offers):
            yield f"offer {', '.join(twice)} is defined more than once"
        if twice := repeated(point.id for point in self.points):
            yield f"decision point {', '.join(twice)} is defined more than once"
        if twice := repeated(moment.id for moment in self.moments):
            yield f"moment {', '.join(twice)} is defined more than once"

    @check
    def _offers_that_are(self) -> Iterator[str]:
        known = {offer.id for offer in self.offers}
        for point in self.points:
            named = {*point.offers, *([point.fallback] if point.fallback else [])}
            if unknown := sorted(named - known):
                allowed = ", ".join(sorted(known)) or "none"
                yield f"decision point {point.id} names {', '.join(unknown)}; offers: {allowed}"

    @check
    def _fallbacks_for_all(self) -> Iterator[str]:
        scarce = {offer.id for offer in self.offers if offer.stock is not None}
        is_limited = self.limits.contacts is not None or self.limits.by_channel
        for point in self.points:
            if point.fallback in scarce:
                yield f"{point.fallback} is the fallback of {point.id} and must be there for all: take out its stock"
            if point.fallback and is_limited:
                yield f"decision point {point.id} cannot have a fallback and daily limits; take one of them out"

    @property
    def offer_ids(self) -> list[str]:
        """Ids of all offers and of doing nothing, which is the first: the order of every array of offers."""
        return [NO_OFFER, *sorted(offer.id for offer in self.offers)]

    def offers_at(self, point: DecisionPoint) -> list[str]:
        """Ids of the offers that are ranked at a point, in the order of the ranking `fixed`."""
        named = point.offers or sorted(offer.id for offer in self.offers)
        return [name for name in named if name != point.fallback]

    def list_unknown_audiences(self, audiences: Collection[str]) -> list[str]:
        """A fault for each audience that is named and not among `audiences`."""
        named = {f"decision point {p.id}": p.audiences for p in self.points}
        for moment in self.moments:
            named[f"moment {moment.id}"] = [*moment.own_audiences, *moment.excluded_audiences]
        for offer in self.offers:
            rules = offer.eligibility
            named[f"offer {offer.id}"] = [*rules.audiences, *rules.excluded_audiences]
        return [
            f"{what} names audience {name}, which is not defined"
            for what, names in named.items()
            for name in names
            if name not in audiences
        ]
