"""What a moment is: a goal, a trigger, an audience, and the steps of its journey. One YAML file a moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from clvspark.audiences.rules.events import EventType
from clvspark.lakehouse.strict_model import StrictModel, check, repeated
from clvspark.privacy.consent import Channel

ID = r"^[a-z][a-z0-9_]*$"
EndReason = Literal["order", "recovered", "left_audience"]


class Goal(StrictModel):
    """What the moment is measured by: an outcome within so many days of the entry."""

    measure: Literal["orders", "net_revenue", "margin", "residual_value", "visits"]
    within_days: int = Field(90, ge=1)


class EnteredAudience(StrictModel):
    """Somebody enters an audience."""

    id: str


class Happened(StrictModel):
    """Something happened on the day before, at least so often within so many days.

    `orders` counts purchases that somebody made in all by then, so that the first purchase can be told from others.
    """

    type: EventType | Literal["cart_abandoned"]
    at_least: int = Field(1, ge=1)
    within_days: int = Field(1, ge=1)
    orders: int | None = Field(None, ge=0)


class ValueDeclines(StrictModel):
    """A decline of value begins, by clv.value_change: with uncertainty, and until it is over only once."""


class Anniversary(StrictModel):
    """The day on which the first purchase was made, some whole years later."""

    of: Literal["first_purchase"] = "first_purchase"


class Trigger(StrictModel):
    """What starts the journey: exactly one of the keys."""

    entered_audience: EnteredAudience | None = None
    happened: Happened | None = None
    value_declines: ValueDeclines | None = None
    anniversary: Anniversary | None = None

    @check
    def _one_trigger(self) -> Iterator[str]:
        if sum(getattr(self, name) is not None for name in Trigger.model_fields) != 1:
            yield f"exactly one of {', '.join(Trigger.model_fields)} is allowed here"


class Step(StrictModel):
    """One message of a journey.

    Parameters
    ----------
    wait_days : after the step before it, or after the entry.
    message : what to send, as the sending system names it.
    """

    id: str = Field(pattern=ID)
    channel: Channel
    message: str = Field(min_length=1)
    wait_days: int = Field(0, ge=0)


class ReEntry(StrictModel):
    """When somebody may enter again: never, or so many days after the last journey was over."""

    after_days: int | None = Field(None, ge=0, description="None: never again")
    most: int | None = Field(
        None, ge=1, description="journeys of a person in all; None: any number"
    )

    @check
    def _agree(self) -> Iterator[str]:
        if self.after_days is None and (self.most or 1) > 1:
            yield "most: give after_days as well; without it nobody enters a second time"


class Moment(StrictModel):
    """Goal + trigger + audience, and the journey that follows.

    Parameters
    ----------
    audiences : on the day of the trigger members of one of these may enter; none: everybody.
    excluded_audiences : members of these may not.
    exits : what ends the journey before its last day: an order, the end of the decline, or of the membership of all
        its audiences and of the one that it was entered by.
    lasts_days : the journey is over so many days after the entry; None: on the day after its last step.
    late_days : a step that no run came to on its day is sent until so many days later.
    """

    id: str = Field(pattern=ID)
    name: str
    description: str = ""
    version: int = Field(1, ge=1)
    owner: str = ""
    goal: Goal
    trigger: Trigger
    audiences: list[str] = Field(default_factory=list)
    excluded_audiences: list[str] = Field(default_factory=list)
    steps: list[Step] = Field(min_length=1)
    exits: list[EndReason] = Field(["order"])
    re_entry: ReEntry = ReEntry()  # type: ignore[call-arg]
    lasts_days: int | None = Field(None, ge=1)
    late_days: int = Field(7, ge=0)

    @check
    def _steps_apart(self) -> Iterator[str]:
        if twice := repeated(step.id for step in self.steps):
            yield f"step {', '.join(twice)} is defined more than once"

    @check
    def _exits_that_can_be(self) -> Iterator[str]:
        if twice := repeated(self.exits):
            yield f"exits name {', '.join(twice)} more than once"
        if "recovered" in self.exits and self.trigger.value_declines is None:
            yield "exits: recovered ends a decline of value, which is not the trigger here"
        if "left_audience" in self.exits and not self.own_audiences:
            yield "exits: left_audience needs an audience to leave; name one in audiences"

    @check
    def _steps_before_the_end(self) -> Iterator[str]:
        last = max(self.offsets, default=0)
        if self.lasts_days is not None and self.lasts_days <= last:
            yield f"lasts_days: the last step is due {last} days after the entry; let it last longer"

    @property
    def offsets(self) -> list[int]:
        """Days from the entry to each step."""
        days, found = 0, []
        for step in self.steps:
            days += step.wait_days
            found.append(days)
        return found

    @property
    def days(self) -> int:
        """Days from the entry to the first day on which the journey is over."""
        return self.lasts_days or self.offsets[-1] + 1

    @property
    def own_audiences(self) -> list[str]:
        """Audiences whose members are on the journey."""
        entered = self.trigger.entered_audience
        return [*self.audiences, *([entered.id] if entered else [])]
