"""Settings of identity resolution: any table of records described as data."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, Self

import duckdb
import sqlglot
from pydantic import Field
from sqlglot import exp
from sqlglot.errors import ParseError

from clvspark.lakehouse.load_config import load_config
from clvspark.lakehouse.strict_model import StrictModel, check, repeated

Kind = Literal[
    "given_name",
    "surname",
    "full_name",
    "birth_date",
    "email",
    "phone",
    "postcode",
    "street",
    "address",
    "identifier",
    "text",
]
# Columns that standardisation adds beside an attribute's own, by the suffix of their name.
DERIVED: dict[Kind, dict[str, str]] = {
    "given_name": {"_forms": "array<string>", "_initial": "string"},
    "surname": {"_start": "string"},
    "full_name": {"_words": "array<string>"},
    "birth_date": {"_year": "string"},
    "email": {"_local": "string"},
    "postcode": {"_area": "string"},
    "address": {"_words": "array<string>"},
    "text": {"_words": "array<string>"},
}


# Columns that steps of resolution add to records.
_TAKEN = (
    "basis", "component", "decision_hash", "evidence_hash", "is_divided", "is_touched", "match_key",
    "match_probability", "match_weight", "record_hash", "shared", "touched", "unique_id",
)  # fmt: skip


class Attribute(StrictModel):
    """One column of the records and what kind of thing it holds."""

    column: str = Field(
        pattern=r"^[^\W\d]\w*$",
        description="letters of any alphabet, digits and underscores, as it goes into SQL",
    )
    kind: Kind
    fallbacks: list[str] = Field(
        [], description="columns that give the value where `column` is empty"
    )
    compare: bool = Field(True, description="false: kept for blocking and identifiers only")
    term_frequency: bool = Field(
        True, description="a rare value is stronger evidence than a common one"
    )
    max_distinct_names: int | None = Field(
        None,
        ge=1,
        description="seen with more given names than this, the identifier is no evidence; nicknames, initials and "
        "slips of the pen count once",
    )

    @property
    def derived(self) -> dict[str, str]:
        """Types of the columns that standardisation adds, by name."""
        return {self.column + suffix: type_ for suffix, type_ in DERIVED.get(self.kind, {}).items()}


class TrainingSettings(StrictModel):
    """How the Fellegi-Sunter model is estimated, on a sample in DuckDB."""

    sample_records: int = Field(100_000, ge=100)
    u_max_pairs: int = Field(1_000_000, ge=1000)
    deterministic_rules: list[list[str]] = Field(
        min_length=1, description="column sets that all but prove a match"
    )
    deterministic_recall: float = Field(
        0.7, gt=0, le=1, description="share of true pairs these rules find"
    )
    em_rules: list[list[str]] = Field(
        min_length=1, description="one EM run on the pairs of each rule"
    )
    seed: int = 1


class IdentitySettings(StrictModel):
    """Everything that says how records become persons.

    The weights are bits: 0 is even odds given the prior, 10 is about 1,000 to 1.
    """

    unique_id: list[str] = Field(["source_system", "source_record_id"], min_length=1)
    country: str = Field("GB", pattern="^[A-Z]{2}$", description="region of national phone numbers")
    attributes: list[Attribute]
    lone_names_may_be_surnames: bool = Field(
        False,
        description="a given name of one word without a surname, which no dictionary of nicknames knows as a given "
        "name, is a surname",
    )
    trusted_identifiers: list[str] = Field(
        [], description="columns whose equality alone makes one person"
    )
    unique_identifiers: list[str] = Field(
        [], description="columns of which one person has at most one value"
    )
    blocking_rules: list[list[str]] = Field(
        default_factory=list,
        description="records that agree on all columns of a rule are compared; of an array, on one element",
    )
    max_block_records: int = Field(
        1000, ge=2, description="a larger block is refined by `refining_columns`, else not compared"
    )
    max_pairs: int = Field(
        1_000_000_000,
        ge=1,
        description="blocking rules that would compare more pairs than this are refused before they run",
    )
    refining_columns: list[str] = Field(
        [],
        description="columns that divide a block that is too large; default: names and birth date",
    )
    training: TrainingSettings | None = None
    link_weight: float = Field(
        0.0, description="pairs from this weight on connect records into components"
    )
    cut_weight: float = Field(
        0.0, description="groups of a component are one person from this weight on"
    )
    contradiction_growth: float = Field(
        0.5,
        ge=0,
        description="how much more a contradiction counts for each doubling of the smaller group",
    )
    conflict_weight: float = Field(
        8.0,
        ge=0,
        description="taken off where given names or birth dates of two groups contradict each other",
    )
    max_component_records: int = Field(
        400, ge=2, description="a larger component keeps its stronger links only"
    )
    max_person_records: int = Field(
        50, ge=1, description="a person with more records is taken apart and reviewed"
    )

    @check
    def _each_attribute_once(self) -> Iterator[str]:
        for name in repeated(attribute.column for attribute in self.attributes):
            yield f"attributes: {name} is given twice"

    @check
    def _names_are_free(self) -> Iterator[str]:
        for name in (attribute.column for attribute in self.attributes):
            if name in _TAKEN or name.startswith(("_", "tf_")):
                yield (
                    f"attributes: {name} is a name that resolution uses itself (as are {', '.join(_TAKEN)}, _... and "
                    "tf_...); rename the column"
                )
            elif not _is_plain(name):
                yield f"attributes: {name} is a word of SQL, which Splink cannot take for a column; rename it"

    @check
    def _derived_names_are_free(self) -> Iterator[str]:
        named = {attribute.column for attribute in self.attributes}
        for attribute in self.attributes:
            for name in sorted(named & attribute.derived.keys()):
                yield (
                    f"attributes: {name} is also what {attribute.column} ({attribute.kind}) is taken apart into; "
                    "rename the column, or drop the attribute"
                )

    @check
    def _names_tell_who_shares(self) -> Iterator[str]:
        bounded = [a.column for a in self.attributes if a.max_distinct_names is not None]
        if bounded and not (self.column_of("given_name") or self.column_of("full_name")):
            yield (
                f"max_distinct_names of {', '.join(bounded)} counts given names, of which no attribute tells: add one "
                "of kind given_name or full_name (compare: false), or drop the bound"
            )

    @check
    def _rules_name_attributes(self) -> Iterator[str]:
        yield from self._unknown_columns("blocking_rules", self.blocking_rules)
        yield from self._unknown_columns("refining_columns", [self.refining_columns])
        yield from self._unknown_columns("trusted_identifiers", [self.trusted_identifiers])
        yield from self._unknown_columns("unique_identifiers", [self.unique_identifiers])

    @check
    def _training_names_attributes(self) -> Iterator[str]:
        if training := self.training:
            rules = training.deterministic_rules
            yield from self._unknown_columns("training.deterministic_rules", rules)
            yield from self._unknown_columns("training.em_rules", training.em_rules)

    def _unknown_columns(self, key: str, lists: list[list[str]]) -> Iterator[str]:
        known = sorted(self.columns)
        if unknown := sorted({name for names in lists for name in names}.difference(known)):
            yield f"{key} names {', '.join(unknown)}; known are {', '.join(known)}"

    @check
    def _compares_as_it_trains(self) -> Iterator[str]:
        if self.compared and not (self.training and self.blocking_rules):
            yield "attributes are to be compared: give 'blocking_rules' and 'training'"
        alone = not self.compared and not self.trusted_identifiers
        if alone and (self.blocking_rules or self.training):
            yield "no attribute is compared: drop 'blocking_rules' and 'training'"

    @check
    def _links_can_stay(self) -> Iterator[str]:
        if self.cut_weight > self.link_weight:
            yield (
                f"cut_weight {self.cut_weight:g} is above link_weight {self.link_weight:g}; "
                "a pair that links must be able to stay together"
            )

    @property
    def compared(self) -> list[Attribute]:
        """Attributes that the probabilistic model compares."""
        return [attribute for attribute in self.attributes if attribute.compare]

    @property
    def columns(self) -> dict[str, str]:
        """Columns of a standardised record beside ``unique_id``, with their types."""
        return {
            name: type_
            for attribute in self.attributes
            for name, type_ in {attribute.column: "string", **attribute.derived}.items()
        }

    @property
    def refiners(self) -> list[str]:
        """Columns that divide a block that is too large."""
        if self.refining_columns:
            return self.refining_columns
        kinds = ("given_name", "surname", "birth_date")
        return [a.column for a in self.attributes if a.kind in kinds]

    def column_of(self, kind: Kind) -> str | None:
        """Column of the first attribute of a kind, None if there is none."""
        return next((a.column for a in self.attributes if a.kind == kind), None)

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Read settings from a file; ConfigError lists every fault."""
        return load_config(path, cls)


@cache
def _is_plain(name: str) -> bool:
    """Whether SQL takes a name for a column, not for a word of its own."""
    try:
        (selected,) = sqlglot.parse_one(f"SELECT {name}", read="duckdb", into=exp.Select).selects
    except ParseError:
        return False
    return isinstance(selected, exp.Column) and name.lower() not in _reserved_words()


@cache
def _reserved_words() -> frozenset[str]:
    query = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
    return frozenset(word for (word,) in duckdb.sql(query).fetchall())
