"""The tree of a rule: conditions, and groups of which all, any or none hold. Parsed, never evaluated as code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import ConfigDict, Discriminator, Field, Tag

from clvspark.audiences.rules.attributes import (
    Attribute,
    DateAttribute,
    FlagAttribute,
    NumberAttribute,
    SetAttribute,
    TextAttribute,
)
from clvspark.audiences.rules.events import Aggregate, Event, First, Last, Sequence
from clvspark.audiences.rules.standing import (
    Bucket,
    Consent,
    Decile,
    InAudience,
    Listed,
    Saved,
    Similar,
    Stage,
    Survey,
    Value,
)
from clvspark.lakehouse.strict_model import StrictModel, check


class Leaf(StrictModel):
    """One condition: a mapping with exactly one of these keys."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    decile: Decile | None = None
    value: Value | None = None
    stage: Stage | None = None
    consent: Consent | None = None
    survey: Survey | None = None
    event: Event | None = None
    amount: Aggregate | None = None
    first: First | None = None
    last: Last | None = None
    sequence: Sequence | None = None
    attribute: Attribute | None = None
    audience: InAudience | None = None
    bucket: Bucket | None = None
    listed: Listed | None = None
    saved: Saved | None = None
    similar: Similar | None = None

    @check
    def _one_condition(self) -> Iterator[str]:
        given = [name for name in Leaf.model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            yield f"exactly one of {', '.join(Leaf.model_fields)} is allowed here"

    @property
    def key(self) -> str:
        """The key of the one condition that is set."""
        return next(name for name, value in dict(self).items() if value is not None)

    @property
    def condition(self) -> Condition:
        """The one condition that is set."""
        condition: Condition = getattr(self, self.key)
        return condition


class Group(StrictModel):
    """Conditions of which all, any or none hold; exactly one of the keys."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    all: list[Rule] | None = Field(None, min_length=1)
    any: list[Rule] | None = Field(None, min_length=1)
    none: list[Rule] | None = Field(None, min_length=1)

    @check
    def _one_kind(self) -> Iterator[str]:
        if sum(members is not None for members in (self.all, self.any, self.none)) != 1:
            yield "exactly one of 'all', 'any', 'none' is allowed here"

    @property
    def key(self) -> str:
        """Which of them must hold: all, any or none."""
        return next(name for name, value in dict(self).items() if value is not None)

    @property
    def members(self) -> list[Rule]:
        """The conditions of the group."""
        return self.all or self.any or self.none or []


def _shape(rule: object) -> str:
    keys = set(rule) if isinstance(rule, dict) else set()
    return "group" if isinstance(rule, Group) or keys & {"all", "any", "none"} else "leaf"


Condition = (
    Decile
    | Value
    | Stage
    | Consent
    | Survey
    | Event
    | Aggregate
    | First
    | Last
    | Sequence
    | TextAttribute
    | NumberAttribute
    | DateAttribute
    | FlagAttribute
    | SetAttribute
    | InAudience
    | Bucket
    | Listed
    | Saved
    | Similar
)
Rule = Annotated[
    Annotated[Group, Tag("group")] | Annotated[Leaf, Tag("leaf")], Discriminator(_shape)
]
Group.model_rebuild()


def walk_leaves(rule: Rule) -> Iterator[Leaf]:
    """Every condition of a rule, with its key, in reading order."""
    if isinstance(rule, Leaf):
        yield rule
    else:
        for member in rule.members:
            yield from walk_leaves(member)
