"""Configuration of attribution: what a touchpoint is, how far back it counts, and how orders are shared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from pydantic import Field

from clvspark.lakehouse.strict_model import StrictModel, check, repeated
from clvspark.sources.tables import EVENT

Method = Literal["first", "last", "linear", "position", "time_decay", "markov", "shapley"]
_ALL: list[Method] = [*get_args(Method)]
_SALES = ("order", "refund")


class PositionConfig(StrictModel):
    """Shares of an order by the place of a touchpoint; those between share what is left."""

    first: float = Field(0.4, ge=0, le=1)
    last: float = Field(0.4, ge=0, le=1)

    @check
    def _at_most_the_whole(self) -> Iterator[str]:
        if self.first + self.last > 1 or self.first + self.last == 0:
            yield "'first' and 'last' together must be above 0 and at most 1"


class AttributionConfig(StrictModel):
    """Which interactions are touchpoints, and the methods that share an order among them."""

    methods: list[Method] = Field(_ALL, min_length=1)
    window_days: int = Field(
        30, ge=1, le=3650, description="a touchpoint counts for an order at most so many days later"
    )
    touchpoints: list[str] = Field(
        ["email_opened", "email_clicked", "coupon_redeemed"],
        description="types of interaction that always are touchpoints",
    )
    touchpoints_with_campaign: list[str] = Field(
        ["visit", "call"], description="types that are touchpoints if they name a campaign"
    )
    half_life_days: float = Field(
        7.0, gt=0, description="of time_decay: a touchpoint so much earlier gets half the credit"
    )
    position: PositionConfig = PositionConfig()  # type: ignore[call-arg]

    @check
    def _each_once(self) -> Iterator[str]:
        if twice := repeated(self.methods):
            yield f"'methods' names {', '.join(twice)} more than once"
        if twice := repeated([*self.touchpoints, *self.touchpoints_with_campaign]):
            yield f"{', '.join(twice)} is named as a touchpoint more than once"

    @check
    def _known_interactions(self) -> Iterator[str]:
        known = sorted(set(EVENT.column("event_type").allowed) - set(_SALES))
        named = {*self.touchpoints, *self.touchpoints_with_campaign}
        if unknown := sorted(named - set(known)):
            yield (
                f"{', '.join(unknown)} is no type of interaction; a touchpoint is one of "
                f"{', '.join(known)}"
            )
