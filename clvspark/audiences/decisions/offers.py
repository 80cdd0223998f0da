"""What may be offered, to whom, at which cost and for how long: one YAML file an offer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from pydantic import Field

from clvspark.lakehouse.strict_model import StrictModel, check, repeated
from clvspark.privacy.consent import Channel

NO_OFFER = "none"
"""Id of doing nothing, which is ranked beside the offers and must not be one's name."""
ID = r"^[a-z][a-z0-9_]*$"


class Eligibility(StrictModel):
    """Whom an offer may be made to: members of one of the audiences, of none of those excluded."""

    audiences: list[str] = Field(
        default_factory=list, description="ids of audiences; none: everybody"
    )
    excluded_audiences: list[str] = Field(default_factory=list)

    @check
    def _not_both(self) -> Iterator[str]:
        if both := sorted({*self.audiences} & {*self.excluded_audiences}):
            yield f"{', '.join(both)} cannot be both allowed and excluded; take one of them out"


class PersonLimit(StrictModel):
    """How often the same offer is made to the same person."""

    contacts: int = Field(1, ge=1)
    within_days: int = Field(90, ge=1)


class Offer(StrictModel):
    """One offer; money in the lakehouse currency.

    Parameters
    ----------
    goal : what it is measured by, for people.
    channels : in the order of preference; a person is addressed on the first that consent and caps allow.
    response : expected probability that a contact leads to a purchase within the window of measurement, with those
        that would have come anyway: the prior until outcomes are known.
    margin : expected margin of such a purchase, before the costs named here; the value V of the classic formula.
    lever : weight by which the business moves the offer in the classic formula.
    context_weights : factor of the classic formula by context, e.g. ``{"lifecycle_stage=lapsed": 1.5}``.
    stock : how many contacts there may be in all; None: any number.
    valid_from, valid_to : dates of decisions, `valid_to` being the first day on which it is over.
    """

    id: str = Field(pattern=ID)
    name: str
    description: str = ""
    goal: str
    eligibility: Eligibility = Eligibility()
    channels: list[Channel] = Field(min_length=1)
    cost_per_contact: float = Field(0.0, ge=0, allow_inf_nan=False)
    cost_per_redemption: float = Field(0.0, ge=0, allow_inf_nan=False)
    response: float = Field(0.05, gt=0, lt=1)
    margin: float = Field(allow_inf_nan=False)
    lever: float = Field(1.0, ge=0, allow_inf_nan=False)
    context_weights: dict[str, float] = Field(default_factory=dict)
    stock: int | None = Field(None, ge=0)
    valid_from: date | None = None
    valid_to: date | None = None
    limit: PersonLimit = PersonLimit()  # type: ignore[call-arg]

    @check
    def _not_nothing(self) -> Iterator[str]:
        if self.id == NO_OFFER:
            yield f"the id {NO_OFFER!r} stands for no offer; choose another one"

    @check
    def _each_channel_once(self) -> Iterator[str]:
        if twice := repeated(self.channels):
            yield f"channels name {', '.join(twice)} more than once"

    @check
    def _dates_in_order(self) -> Iterator[str]:
        if self.valid_from and self.valid_to and self.valid_from >= self.valid_to:
            yield "valid_from must lie before valid_to, the first day on which the offer is over"

    @check
    def _weights_of_contexts(self) -> Iterator[str]:
        for key, weight in self.context_weights.items():
            if key.count("=") != 1:
                yield f"context_weights: {key!r} must be written column=value"
            if not 0 <= weight < float("inf"):
                yield f"context_weights: the weight of {key!r} must be 0 or more, and finite"

    def is_valid_on(self, day: date) -> bool:
        """Whether decisions of the day may choose it."""
        begun = self.valid_from is None or self.valid_from <= day
        return begun and (self.valid_to is None or day < self.valid_to)
