"""Configuration of measurement."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from pydantic import Field

from clvspark.lakehouse.strict_model import StrictModel, check, repeated

Score = Literal["residual_value", "clv", "decline", "simple_clv", "p_alive", "p_top_decile"]


class BotRules(StrictModel):
    """By which opens and clicks are told to be a machine's; no rule looks at who somebody is."""

    seconds_after_delivery: int = Field(
        2, ge=0, description="opened or clicked within so many seconds of the delivery"
    )
    clicks_in_a_second: int = Field(
        3, ge=2, description="so many clicks of one person and campaign in one second"
    )


class MeasurementConfig(StrictModel):
    """How long after activation responses and outcomes count, what a contact costs, and who is judged."""

    window_days: int = Field(91, ge=1)
    min_persons: int = Field(30, ge=2, description="smaller groups are not judged")
    power: float = Field(
        0.8, gt=0.5, lt=1, description="chance to find the minimum detectable effect"
    )
    cost_per_contact: Decimal = Field(
        Decimal(0), ge=0, description="of a person in treatment, in the lakehouse currency"
    )
    costs_per_contact: dict[str, Decimal] = Field(
        default_factory=dict, description="by audience, where it differs"
    )
    scores: list[Score] = Field(
        ["residual_value", "decline"],
        description="of clv.customer_value, by which targeting is judged; decline: fall below the expected value",
    )
    bots: BotRules = BotRules()  # type: ignore[call-arg]

    def cost_of(self, audience: str) -> Decimal:
        """What it costs to contact one person of an audience."""
        return self.costs_per_contact.get(audience, self.cost_per_contact)

    @check
    def _no_negative_cost(self) -> Iterator[str]:
        for audience, cost in sorted(self.costs_per_contact.items()):
            if cost < 0:
                yield f"'costs_per_contact.{audience}' must not be negative"

    @check
    def _each_score_once(self) -> Iterator[str]:
        for name in repeated(self.scores):
            yield f"'scores' names {name} twice"
