"""Which record of a person gives each attribute of the golden record: rules as configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from pyspark.sql import Column, Window
from pyspark.sql import functions as F

from clvspark.lakehouse.strict_model import StrictModel, check, repeated

Rule = Literal["trusted_source", "most_recent", "most_complete", "most_frequent"]
# An address survives as one: its parts from different records would make a home where nobody lives.
SURVIVORS: dict[str, tuple[str, ...]] = {
    "given_name": ("given_name",),
    "surname": ("surname",),
    "birth_date": ("birth_date",),
    "email": ("email",),
    "phone": ("phone",),
    "address": ("street", "city", "postcode"),
}
Survivor = Literal["given_name", "surname", "birth_date", "email", "phone", "address"]
_NAMES_WHOLE: dict[Survivor, list[Rule]] = {
    # The newest record may be the one in which given name and surname were swapped: most records know.
    "given_name": ["most_complete", "most_frequent", "most_recent"],
    "surname": ["most_complete", "most_frequent", "most_recent"],
}


class SurvivorshipSettings(StrictModel):
    """Rules in the order they are asked; the next one decides where the one before finds no difference.

    trusted_source: the source that stands first in `trusted_sources`. most_recent: the record created last.
    most_complete: the name with most whole words (``Jane Ann`` before ``Jane`` before ``J``), the address with most
    parts. most_frequent: the value that most records have, letter case aside. What no rule decides goes to the
    smallest record id.
    """

    default: list[Rule] = Field(
        ["most_recent"], description="where `rules` do not name an attribute"
    )
    rules: dict[Survivor, list[Rule]] = Field(
        _NAMES_WHOLE,
        description="rules of one attribute; those of names are most_complete, most_frequent, most_recent where it "
        "does not name them; {}: the default decides on all",
    )
    trusted_sources: list[str] = Field([], description="source systems, the most trusted first")

    @check
    def _each_rule_once(self) -> Iterator[str]:
        twice = [name for name, rules in self._lists.items() if repeated(rules)]
        if twice:
            yield f"a rule is given twice for {', '.join(twice)}"

    @check
    def _somebody_is_trusted(self) -> Iterator[str]:
        asked = {rule for rules in self._lists.values() for rule in rules}
        if "trusted_source" in asked and not self.trusted_sources:
            yield "the rule trusted_source needs 'trusted_sources', the most trusted first"

    @property
    def _lists(self) -> dict[str, list[Rule]]:
        return {"default": self.default} | {**self.rules}

    def of(self, survivor: str) -> list[Rule]:
        """Rules of an attribute."""
        named: dict[Survivor, list[Rule]] = _NAMES_WHOLE | self.rules if self.rules else {}
        return named.get(survivor, self.default)  # type: ignore[call-overload]


def rank(rule: Rule, survivor: str, settings: SurvivorshipSettings) -> Column:
    """How a record stands under a rule, as bigint: the smallest wins.

    Of records with person_id, source_system, created_at and the columns of `SURVIVORS`.
    """
    columns = [F.col(name) for name in SURVIVORS[survivor]]
    match rule:
        case "trusted_source":
            sources = F.array(*(F.lit(name) for name in settings.trusted_sources))
            place = F.array_position(sources, F.col("source_system"))
            standing = F.when(place > 0, place).otherwise(F.lit(len(settings.trusted_sources) + 1))
        case "most_recent":
            never = F.lit(-(2**62))
            standing = -F.coalesce(F.unix_micros("created_at"), never)
        case "most_complete":
            standing = -_completeness(columns)
        case "most_frequent":
            same_value = Window.partitionBy("person_id", spelling_aside(survivor))
            standing = -F.count(F.lit(1)).over(same_value)
    return standing.cast("bigint").alias(rule)


def spelling_aside(survivor: str) -> Column:
    """The value of a record as one text, letter case aside."""
    parts = [F.coalesce(F.col(name).cast("string"), F.lit("")) for name in SURVIVORS[survivor]]
    return F.lower(F.concat_ws("\n", *parts))


def _completeness(columns: list[Column]) -> Column:
    if len(columns) > 1:
        return sum((column.isNotNull().cast("int") for column in columns), F.lit(0))
    return F.regexp_count(columns[0].cast("string"), F.lit(r"\S[^\s.]+"))
