"""Conditions on what happened: how often, how much, when first and last, in which order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from clvspark.audiences.rules.bounds import ONE_OR_SEVERAL, NumberBounds, Window, Words, empty_range
from clvspark.lakehouse.strict_model import StrictModel, check
from clvspark.sources import tables as sources

EventType = Literal[sources.EventType, "survey_answer"]
Amount = Literal["net_revenue", "margin", "gross_revenue", "discount", "units", "score"]
OrderStatus = Literal["completed", "updated", "cancelled", "partly_refunded", "refunded"]
Statistic = Literal["sum", "average", "minimum", "maximum"]
# What history.order tells of; everything else is an interaction.
ORDER_TYPES = frozenset({"order", "refund", "order_updated", "order_cancelled"})
# Amounts that a line of an order has of its own.
LINE_AMOUNTS = frozenset({"net_revenue", "units"})


class Filters(StrictModel):
    """Which events count: every filter that is given holds; of each one value or several, any of which will do."""

    channel: Words | None = None
    campaign: Words | None = None
    store: Words | None = None
    product: Words | None = None
    category: Words | None = None
    status: (
        Annotated[
            list[OrderStatus],
            BeforeValidator(
                ONE_OR_SEVERAL.func, json_schema_input_type=OrderStatus | list[OrderStatus]
            ),
            Field(min_length=1),
        ]
        | None
    ) = None

    @property
    def is_of_lines(self) -> bool:
        """Whether lines of orders decide."""
        return self.product is not None or self.category is not None


class Each(NumberBounds):
    """An amount that every single event must have."""

    of: Amount

    @check
    def _bounded(self) -> Iterator[str]:
        if not self.is_bounded:
            yield "give 'at_least', 'at_most', 'above' or 'below'"


class Events(Filters):
    """Events of one type or several."""

    type: Annotated[
        list[EventType],
        BeforeValidator(ONE_OR_SEVERAL.func, json_schema_input_type=EventType | list[EventType]),
        Field(min_length=1),
    ]
    each: Each | None = Field(None, description="an amount that each of the events must have")

    @check
    def _has_lines(self) -> Iterator[str]:
        if self.product is not None and self.category is not None:
            yield "give either 'product' or 'category'"
        changes = sorted({"order_updated", "order_cancelled"} & set(self.type))
        if (self.product or self.category) and changes:
            yield f"{' and '.join(changes)} have no lines; leave 'product' and 'category' out"

    @check
    def _knows_its_filters(self) -> Iterator[str]:
        if self.campaign is not None and ORDER_TYPES & set(self.type):
            yield "orders carry no campaign; leave 'campaign' out, or ask for the contacts of the campaign"
        for name in ("store", "status"):
            if getattr(self, name) is not None and set(self.type) - ORDER_TYPES:
                yield f"only {', '.join(sorted(ORDER_TYPES))} have a {name}; leave it out"

    @check
    def _knows_its_amounts(self) -> Iterator[str]:
        asked = [self.each.of] if self.each is not None else []
        yield from _unknown_amounts(self.type, asked)


def _unknown_amounts(types: list[EventType], asked: list[Amount]) -> Iterator[str]:
    for of in asked:
        if of == "score" and types != ["survey_answer"]:
            yield "only survey_answer has a score"
        if of != "score" and set(types) - ORDER_TYPES:
            yield f"only {', '.join(sorted(ORDER_TYPES))} have {of}"


class Event(Events, Window):
    """How often something happened to the person within a window (all time without); `at_most: 0` means never."""

    at_least: int | None = Field(None, ge=1)
    at_most: int | None = Field(None, ge=0)

    @check
    def _bounded(self) -> Iterator[str]:
        if self.at_least is None and self.at_most is None:
            yield "give 'at_least', 'at_most' or both; 'at_most: 0' means never"
        yield from empty_range(self.at_least, self.at_most)


class Aggregate(Events, Window, NumberBounds):
    """A statistic of an amount over events within a window; without an event a sum is 0, the others do not hold."""

    of: Amount
    by: Statistic = "sum"

    @check
    def _bounded(self) -> Iterator[str]:
        if not self.is_bounded:
            yield "give 'at_least', 'at_most', 'above' or 'below'"

    @check
    def _knows_its_amount(self) -> Iterator[str]:
        yield from _unknown_amounts(self.type, [self.of])

    @check
    def _of_lines(self) -> Iterator[str]:
        if (self.product or self.category) and self.of not in LINE_AMOUNTS:
            yield f"lines of orders have no {self.of} of their own; use {' or '.join(sorted(LINE_AMOUNTS))}"


class Occurrence(Events, Window):
    """One of some events, that happened within the window and was as `was` says; of several at once one is enough."""

    was: Filters | None = Field(None, description="filters that this event passes")


class First(Occurrence):
    """The first of the events, of all time."""


class Last(Occurrence):
    """The last of the events."""


class Step(Events):
    """One step of a sequence, and how long after the step before it; without a bound, any time later."""

    after_hours: int | None = Field(None, ge=1, le=876_000, description="at least so much later")
    after_days: int | None = Field(None, ge=1, le=36_500)
    within_hours: int | None = Field(None, ge=1, le=876_000, description="at most so much later")
    within_days: int | None = Field(None, ge=1, le=36_500)

    @check
    def _possible(self) -> Iterator[str]:
        for name in ("after", "within"):
            if None not in (getattr(self, f"{name}_hours"), getattr(self, f"{name}_days")):
                yield f"give either '{name}_hours' or '{name}_days'"
        if (self.gap_least or 0) > (self.gap_most or float("inf")):
            yield "nothing is so much later and within so little; swap the gaps"

    @property
    def events(self) -> Events:
        """The events alone, whenever they happened."""
        return Events.model_validate({name: getattr(self, name) for name in Events.model_fields})

    @property
    def gap_least(self) -> int | None:
        """Hours that the step is at least later than the one before it."""
        return 24 * self.after_days if self.after_days is not None else self.after_hours

    @property
    def gap_most(self) -> int | None:
        """Hours that the step is at most later than the one before it."""
        return 24 * self.within_days if self.within_days is not None else self.within_hours


class Sequence(Window):
    """Steps that followed each other within the window, each later than the one before.

    `then_not` is what has not happened since the last step: within its gap, which must be over by now, or at all.
    """

    steps: list[Step] = Field(min_length=1, max_length=10)
    then_not: Step | None = None

    @check
    def _is_a_sequence(self) -> Iterator[str]:
        if len(self.steps) == 1 and self.then_not is None:
            yield "give two steps or more, or 'then_not'; for one event use 'event'"

    @check
    def _first_has_no_gap(self) -> Iterator[str]:
        first = self.steps[0]
        if (first.gap_least, first.gap_most) != (None, None):
            yield "steps.0 comes after nothing; give its time as the window of the sequence"
        if self.then_not is not None and self.then_not.gap_least is not None:
            yield "then_not has no 'after_hours' nor 'after_days'; give 'within_hours' or 'within_days'"

    @property
    def window(self) -> Window:
        """The window alone."""
        return Window.model_validate({name: getattr(self, name) for name in Window.model_fields})

    @property
    def all_steps(self) -> list[Step]:
        """The steps, `then_not` at the end."""
        return [*self.steps, *([self.then_not] if self.then_not is not None else [])]
