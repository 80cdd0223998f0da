"""The rule language: what an audience is made of. Rules are parsed into these types, never evaluated as code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError

from clvspark.lakehouse.strict_model import StrictModel, check
from clvspark.privacy.consent import Channel

Metric = Literal[
    "revenue_month_1",
    "revenue_month_3",
    "revenue_month_6",
    "revenue_month_9",
    "revenue_month_12",
    "revenue_all",
    "clv",
    "residual_value",
]
ValueName = Literal[
    "p_alive",
    "expected_purchases",
    "expected_spend",
    "residual_value",
    "expected_residual_value",
    "value_to_expected",
    "chance_of_so_few",
    "historical_value",
    "clv",
    "simple_clv",
]
Attribute = Literal["given_name", "surname", "city", "postcode", "records"]


def _empty_range(least: float | None, most: float | None) -> Iterator[str]:
    if least is not None and most is not None and least > most:
        yield f"nothing is at least {least:g} and at most {most:g}; swap the bounds"


class Decile(StrictModel):
    """The person's decile by a metric; 1 is the best."""

    metric: Metric
    at_least: int = Field(1, ge=1, le=10)
    at_most: int = Field(10, ge=1, le=10)

    @check
    def _possible(self) -> Iterator[str]:
        yield from _empty_range(self.at_least, self.at_most)


class Value(StrictModel):
    """A predicted or past value of the person, bounds inclusive."""

    name: ValueName
    at_least: float | None = Field(None, allow_inf_nan=False)
    at_most: float | None = Field(None, allow_inf_nan=False)

    @check
    def _bounded(self) -> Iterator[str]:
        if self.at_least is None and self.at_most is None:
            yield "give 'at_least', 'at_most' or both"
        yield from _empty_range(self.at_least, self.at_most)


class Stage(StrictModel):
    """The person's lifecycle stage."""

    any_of: list[Literal["new", "growing", "core", "slipping", "lapsed"]] = Field(min_length=1)


class Consent(StrictModel):
    """Marketing consent for a channel."""

    channel: Channel


class Survey(StrictModel):
    """The person's newest survey score, within so many days."""

    score_at_least: int = Field(0, ge=0, le=10)
    score_at_most: int = Field(10, ge=0, le=10)
    within_days: int | None = Field(None, ge=1)

    @check
    def _possible(self) -> Iterator[str]:
        yield from _empty_range(self.score_at_least, self.score_at_most)


class Event(StrictModel):
    """How often something happened to the person within so many days (all time without)."""

    type: Literal["order", "refund", "visit", "email_opened", "email_clicked", "coupon_redeemed"]
    at_least: int | None = Field(None, ge=1)
    at_most: int | None = Field(None, ge=0)
    within_days: int | None = Field(None, ge=1)

    @check
    def _bounded(self) -> Iterator[str]:
        if self.at_least is None and self.at_most is None:
            yield "give 'at_least', 'at_most' or both; 'at_most: 0' means never"
        yield from _empty_range(self.at_least, self.at_most)


class AttributeIs(StrictModel):
    """An attribute of the golden record is one of some values."""

    name: Attribute
    any_of: list[str | int] = Field(min_length=1)


class InAudience(StrictModel):
    """Membership of another audience."""

    id: str


class Leaf(StrictModel):
    """One condition: a mapping with exactly one of these keys."""

    decile: Decile | None = None
    value: Value | None = None
    stage: Stage | None = None
    consent: Consent | None = None
    survey: Survey | None = None
    event: Event | None = None
    attribute: AttributeIs | None = None
    audience: InAudience | None = None

    @check
    def _one_condition(self) -> Iterator[str]:
        given = [name for name in Leaf.model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            yield f"exactly one of {', '.join(Leaf.model_fields)} is allowed here"

    @property
    def condition(self) -> Condition:
        """The one condition that is set."""
        return next(value for value in dict(self).values() if value is not None)


class Group(StrictModel):
    """Conditions of which all, any or none hold; exactly one of the keys."""

    all: list[Rule] | None = Field(None, min_length=1)
    any: list[Rule] | None = Field(None, min_length=1)
    none: list[Rule] | None = Field(None, min_length=1)

    @check
    def _one_kind(self) -> Iterator[str]:
        if sum(members is not None for members in (self.all, self.any, self.none)) != 1:
            yield "exactly one of 'all', 'any', 'none' is allowed here"

    @property
    def members(self) -> list[Rule]:
        """The conditions of the group."""
        return self.all or self.any or self.none or []


def _shape(rule: object) -> str:
    keys = set(rule) if isinstance(rule, dict) else set()
    return "group" if isinstance(rule, Group) or keys & {"all", "any", "none"} else "leaf"


Condition = Decile | Value | Stage | Consent | Survey | Event | AttributeIs | InAudience
Rule = Annotated[
    Annotated[Group, Tag("group")] | Annotated[Leaf, Tag("leaf")], Discriminator(_shape)
]
Group.model_rebuild()


class AudienceDefinition(StrictModel):
    """One audience: who comes in (`include`), who stays (`stay`), who is out all the same (`exclude`).

    `stay` is for measures that move around a bound: who was a member before the date remains one while `stay` holds,
    though `include` no longer does. Without it `include` decides every time.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: str
    description: str = ""
    version: int = Field(1, ge=1)
    owner: str = ""
    include: Rule
    stay: Rule | None = None
    exclude: Rule | None = None

    @property
    def conditions(self) -> list[Condition]:
        """Every condition of the rule, in reading order."""
        rules = [rule for rule in (self.include, self.stay, self.exclude) if rule]
        return [condition for rule in rules for condition in _walk(rule)]

    def has_rule_of(self, document: Mapping[str, Any]) -> bool:
        """Whether a definition as `model_dump_json` wrote it, perhaps an older clvspark, comes to the same members."""
        try:
            other = AudienceDefinition.model_validate(document)
        except ValidationError:
            return False
        return all(getattr(self, p) == getattr(other, p) for p in ("include", "stay", "exclude"))

    @property
    def references(self) -> set[str]:
        """Ids of the audiences that the rule builds on."""
        return {condition.id for condition in self.conditions if isinstance(condition, InAudience)}


def _walk(rule: Rule) -> Iterator[Condition]:
    if isinstance(rule, Leaf):
        yield rule.condition
    else:
        for member in rule.members:
            yield from _walk(member)
