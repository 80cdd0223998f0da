"""Conditions on what is known of a person, each compared as its type allows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from clvspark.audiences.rules.bounds import NumberBounds, Words, empty_range
from clvspark.lakehouse.strict_model import StrictModel, check

TextName = Literal[
    "given_name",
    "surname",
    "city",
    "postcode",
    "segment",
    "relationship_stage",
    "previous_stage",
]
NumberName = Literal[
    "records",
    "recency_days",
    "frequency",
    "monetary",
    "r_score",
    "f_score",
    "m_score",
    "usual_gap_days",
    "spend_trend",
    "answers",
    "last_score",
]
DateName = Literal["birth_date", "last_answered_on", "declining_since"]
FlagName = Literal["has_email", "has_phone", "is_declining"]
SetName = Literal["source_systems"]
# What an attribute is called in the table that it comes from, where that differs.
STORED_AS = {"relationship_stage": "stage"}
# Where attributes come from.
PERSON_ATTRIBUTES = (
    "given_name", "surname", "city", "postcode", "records", "birth_date", "source_systems", "has_email", "has_phone"
)  # fmt: skip
RELATIONSHIP_ATTRIBUTES = (
    "segment", "relationship_stage", "previous_stage", "recency_days", "frequency", "monetary", "r_score", "f_score",
    "m_score", "usual_gap_days", "spend_trend", "answers", "last_score", "last_answered_on"
)  # fmt: skip
CHANGE_ATTRIBUTES = ("is_declining", "declining_since")
# No stream of events changes what identities say between two runs of the batch, so it stays current.
STREAMED_ATTRIBUTES = frozenset(PERSON_ATTRIBUTES)


class _Comparison(StrictModel):
    """At least one comparison; `is_known: false` asks for nothing else, as nothing else could hold."""

    is_known: bool | None = None

    @check
    def _compares(self) -> Iterator[str]:
        keys = [name for name in type(self).model_fields if name != "name"]
        given = [name for name in keys if getattr(self, name) is not None]
        if not given:
            yield f"give a comparison: {', '.join(keys)}"
        if self.is_known is False and len(given) > 1:
            yield "what is not known compares with nothing; leave the other comparisons out"


class TextAttribute(_Comparison):
    """A text, compared as it is written."""

    name: TextName
    any_of: Words | None = None
    none_of: Words | None = None
    starts_with: str | None = Field(None, min_length=1, max_length=200)
    contains: str | None = Field(None, min_length=1, max_length=200)


class NumberAttribute(_Comparison, NumberBounds):
    """A number."""

    name: NumberName
    any_of: (
        Annotated[
            list[float],
            BeforeValidator(
                lambda v: [v] if isinstance(v, int | float) else v, json_schema_input_type=Any
            ),
            Field(min_length=1),
        ]
        | None
    ) = None


class DateAttribute(_Comparison):
    """A day; of the last days, or whose anniversary comes within so many days, as of the evaluation."""

    name: DateName
    since: date | None = Field(None, description="first day, inclusive")
    until: date | None = Field(None, description="last day, inclusive")
    at_least_days_ago: int | None = Field(None, ge=0)
    at_most_days_ago: int | None = Field(None, ge=0)
    anniversary_within_days: int | None = Field(None, ge=0, le=365)

    @check
    def _possible(self) -> Iterator[str]:
        yield from empty_range(self.at_least_days_ago, self.at_most_days_ago)
        if self.since is not None and self.until is not None and self.since > self.until:
            yield f"no day is since {self.since} and until {self.until}; swap the dates"


class FlagAttribute(StrictModel):
    """Yes or no; what is not known is neither."""

    name: FlagName
    is_true: bool = True


class SetAttribute(_Comparison):
    """A set of texts: one of them is among the values, all of them are, none is."""

    name: SetName
    any_of: Words | None = None
    all_of: Words | None = None
    none_of: Words | None = None


Attribute = Annotated[
    TextAttribute | NumberAttribute | DateAttribute | FlagAttribute | SetAttribute,
    Field(discriminator="name"),
]
